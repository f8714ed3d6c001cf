"""`orchestrator services`: the image services are a self-written server that plays their free answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from activities.services.checks import check
from runtime.service_settings import ServiceSettings
from tests.operations.commandline import CommandLine

KEY = "k3y-of-the-service"


def service(kind: str, base_url: str, **fields: Any) -> ServiceSettings:
    return ServiceSettings.model_validate({"kind": kind, "base_url": base_url, **fields})


@pytest.fixture
def bearer(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "key").write_text(KEY, encoding="utf-8")
    return {"kind": "bearer", "secret": f"file:{tmp_path}/key"}


@pytest.mark.parametrize(
    ("kind", "base", "path"),
    [
        ("openai", "", "/v1/models"),
        ("openai", "/v1", "/v1/models"),
        ("together", "", "/v1/models"),
        ("replicate", "", "/v1/account"),
        ("stability", "", "/v1/user/balance"),
        ("a1111", "", "/sdapi/v1/sd-models"),
        ("gemini", "", "/v1beta/models"),
        ("gemini", "/v1", "/v1/models"),
        ("bfl", "", "/v1/credits"),
    ],
)
async def test_the_credentials_are_checked_for_nothing(
    kind: str, base: str, path: str, httpserver: HTTPServer, bearer: dict[str, str]
) -> None:
    httpserver.expect_request(path, "GET", headers={"Authorization": f"Bearer {KEY}"}).respond_with_json({"data": []})
    found = await check("one", service(kind, httpserver.url_for("") + base.lstrip("/"), auth=bearer))
    assert found.usable, found
    assert "takes the credentials" in found.said
    assert [request.method for request, _ in httpserver.log] == ["GET"]


@pytest.mark.parametrize("kind", ["flux_lora", "fal"])
async def test_what_cannot_be_checked_is_said(kind: str, httpserver: HTTPServer, bearer: dict[str, str]) -> None:
    httpserver.expect_request("/").respond_with_data("Not Found", 404)
    found = await check("one", service(kind, httpserver.url_for(""), auth=bearer))
    assert found.usable
    assert found.said == "the service is there (HTTP 404); only a paid call could check the credentials"


async def test_a_server_without_a_list_of_models(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/models").respond_with_data("Not Found", 404)
    found = await check("one", service("openai", httpserver.url_for("")))
    assert found.usable
    assert "has no /v1/models: the credentials are not checked" in found.said


@pytest.mark.parametrize(
    ("kind", "status", "body", "said", "remedy"),
    [
        ("openai", 401, '{"error": {"message": "no"}}', "HTTP 401: no", "auth setting"),
        ("openai", 403, '{"error": {"message": "no"}}', "HTTP 403: no", "Give the account access"),
        ("openai", 402, "{}", "HTTP 402", "Add credit"),
        ("openai", 429, '{"error": {"message": "slow"}}', "HTTP 429: slow", "rate"),
        ("openai", 503, "", "HTTP 503", "capacity"),
        ("openai", 302, "", "HTTP 302", "base_url"),
        ("openai", 200, "<!doctype html>", "not in JSON", "base_url"),
        ("bfl", 403, '{"detail": "Not authenticated"}', "HTTP 403: Not authenticated", "auth setting"),
        ("gemini", 400, '{"error": {"details": [{"reason": "API_KEY_INVALID"}]}}', "HTTP 400", "auth setting"),
        ("fal", 502, "<html>", "HTTP 502", "status page"),
    ],
)
async def test_what_is_wrong_comes_with_its_remedy(  # noqa: PLR0913, PLR0917 - one line of the table, and the server
    kind: str, status: int, body: str, said: str, remedy: str, httpserver: HTTPServer
) -> None:
    for path in ("/v1/models", "/v1beta/models", "/v1/credits", "/"):
        httpserver.expect_request(path).respond_with_data(body, status)
    found = await check("one", service(kind, httpserver.url_for("")))
    assert said in found.said
    assert remedy in (found.remedy or "")


async def test_a_service_that_is_not_there() -> None:
    found = await check("one", service("openai", "http://127.0.0.1:9"))
    assert "no connection to one" in found.said
    assert "base_url" in (found.remedy or "")


async def test_a_missing_secret_is_named(httpserver: HTTPServer, tmp_path: Path) -> None:
    auth = {"kind": "bearer", "secret": f"file:{tmp_path}/missing"}
    found = await check("one", service("stability", httpserver.url_for(""), auth=auth))
    assert "missing" in found.said
    assert "auth setting" in (found.remedy or "")
    assert not httpserver.log


async def test_a_workflow_is_checked_too(httpserver: HTTPServer, tmp_path: Path) -> None:
    httpserver.expect_request("/system_stats").respond_with_json({"system": {}})
    path = tmp_path / "w.json"
    comfy = service("comfyui", httpserver.url_for(""), workflow_file=path, patches={"prompt": "6.inputs.text"})
    assert "cannot be read" in (await check("one", comfy)).said
    path.write_text(json.dumps({"5": {"inputs": {"text": ""}}}), encoding="utf-8")
    found = await check("one", comfy)
    assert found.said == "patches.prompt: the workflow has no 6.inputs.text; a place looks like 6.inputs.text"
    assert "workflow_file or patches" in (found.remedy or "")
    path.write_text(json.dumps({"6": {"inputs": {"text": ""}}}), encoding="utf-8")
    assert (await check("one", comfy)).usable


# --- the commands -----------------------------------------------------------------------------------------------------


@pytest.fixture
def line(offline: CommandLine, httpserver: HTTPServer) -> CommandLine:
    """A command line whose `spare` answers and whose `main` is not there; `draw` has more to tell."""
    text = offline.config.read_text(encoding="utf-8")
    spare = 'kind = "openai"\nbase_url = '
    text = text.replace(f'{spare}"http://127.0.0.1:9"', f'{spare}"{httpserver.url_for("/")}"')
    more = """\
[services.draw]
kind = "a1111"
base_url = "http://127.0.0.1:9"
model = "sdxl"
on_unsupported = "emulate"
loras = { brand = { path = "brand_v2" } }
auth = { kind = "bearer", secret = "file:secret" }
"""
    offline.config.write_text(text + more, encoding="utf-8")
    httpserver.expect_request("/v1/models").respond_with_json({"data": []})
    return offline


async def test_the_list(line: CommandLine) -> None:
    shown, ran = await line.run("services", "list"), await line.call("services", "list", "--json")
    assert (shown.code, shown.err) == (0, "")
    for text in ("flux_lora", "openai", "a1111", "sdxl", "brand", "bearer", "event"):
        assert text in shown.out
    assert [row["service"] for row in ran.document] == ["main", "spare", "draw"]
    draw = ran.document[2]
    assert (draw["loras"], draw["routes"], draw["on_outcome_unknown"]) == (["brand"], [], "fail")
    assert "made-up" not in ran.out


async def test_the_test(line: CommandLine) -> None:
    good, bad = await line.call("services", "test", "spare"), await line.run("services", "test")
    both = await line.call("services", "test", "spare", "main", "--json")
    assert (good.code, good.err) == (0, "")
    assert good.out == "spare (openai): GET /v1/models answers: the service is there and takes the credentials\n"
    assert bad.code == 1
    assert bad.out == good.out
    assert [text.partition(" ")[0] for text in bad.err.splitlines()] == ["main", "draw"]
    assert all("Check that the service is up" in text for text in bad.err.splitlines())
    assert [(row["service"], row["usable"]) for row in both.document] == [("spare", True), ("main", False)]


async def test_an_unknown_service(line: CommandLine) -> None:
    ran = await line.call("services", "test", "sparre")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "unknown image service 'sparre'; configured: draw, main, spare\n"


async def test_the_capabilities(line: CommandLine) -> None:
    shown, ran = await line.call("services", "capabilities"), await line.call("services", "capabilities", "--json")
    rows = {row["service"]: row for row in ran.document}
    spare, draw = rows["spare"], rows["draw"]
    assert (spare["size"], spare["seed"], spare["aspect_ratio"], spare["sizes"]) == (
        "yes",
        "left out",
        "as a size",
        "any",
    )
    assert (draw["lora"], draw["negative_prompt"]) == ("yes", "yes")
    assert draw["sizes"] == "multiples of 8, sides from 64"
    assert shown.code == 0
    assert "negative_prompt" in shown.out
    assert "multiples of 8" in shown.out
