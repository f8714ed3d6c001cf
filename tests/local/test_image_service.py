from __future__ import annotations

import base64
import json
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp

from operations.local.image_service import ImageServiceConfig, create_app
from runtime.secrets import SecretMissingError
from tests.local.orders import OPENAI, SMALL, inline, order, paid, picture

Serve = Callable[[ASGIApp], Awaitable[httpx.AsyncClient]]
Launch = Callable[..., subprocess.Popen[str]]

MODULE = "operations.local.image_service"


async def test_openai_answers_base64_png_of_the_asked_size(service: httpx.AsyncClient) -> None:
    answer = await order(service)
    assert answer.status_code == 200
    assert answer.headers["X-Request-Id"].startswith("req_")
    assert picture(inline(answer)) == ("PNG", (64, 48))


async def test_the_same_order_gives_the_same_bytes_and_several_images_differ(service: httpx.AsyncClient) -> None:
    first, again = inline(await order(service)), inline(await order(service))
    several = (await order(service, n=3)).json()["data"]
    assert first == again
    assert len({image["b64_json"] for image in several}) == 3


async def test_openai_answers_urls_that_serve_the_image(service: httpx.AsyncClient) -> None:
    url = (await order(service, response_format="url")).json()["data"][0]["url"]
    file = await service.get(url)
    assert file.headers["Content-Type"] == "image/png"
    assert picture(file.content) == ("PNG", (64, 48))
    assert (await service.get("/files/unknown.png")).status_code == 404


async def test_openai_answers_data_uris(service: httpx.AsyncClient) -> None:
    url = (await order(service, response_format="data_uri")).json()["data"][0]["url"]
    head, _, text = url.partition(",")
    assert head == "data:image/png;base64"
    assert picture(base64.b64decode(text)) == ("PNG", (64, 48))


async def test_flux_answers_images_and_metadata(service: httpx.AsyncClient) -> None:
    body = {"text_prompt": "a fox", "width": 80, "height": 32, "seed": 7, "steps": 20, "model": "flux-dev"}
    content = (await service.post("/generate", json=body)).json()
    by_url = (await service.post("/generate", json={**body, "output": "url"})).json()["images"][0]
    assert content["metadata"] == {"seed": 7, "model": "flux-dev", "steps": 20}
    image = content["images"][0]
    assert (image["seed"], image["width"], image["height"]) == (7, 80, 32)
    assert picture(base64.b64decode(image["base64"])) == ("PNG", (80, 32))
    assert (await service.get(by_url["url"])).content == base64.b64decode(image["base64"])


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b'{"size": "64x64"}', "prompt"),
        (b'{"prompt": ""}', "prompt"),
        (b'{"prompt": "x", "size": "64"}', "size"),
        (b'{"prompt": "x", "size": "9999x64"}', "size"),
        (b'{"prompt": "x", "n": 11}', "n"),
        (b"{", "not JSON"),
    ],
)
async def test_openai_refuses_bad_orders_in_its_shape(service: httpx.AsyncClient, body: bytes, named: str) -> None:
    answer = await service.post(OPENAI, content=body)
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_request")
    assert named in error["message"]
    assert await paid(service) == {}


async def test_flux_refuses_bad_orders_in_its_shape(service: httpx.AsyncClient) -> None:
    answer = await service.post("/generate", json={"text_prompt": "x", "width": 1})
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_request"
    assert "width" in answer.json()["error"]


async def test_a_configured_key_is_demanded(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_KEY", "right")
    service = await serve(create_app(ImageServiceConfig(key="env:LOCAL_KEY")))
    missing = await order(service)
    wrong = await service.post("/generate", json={"text_prompt": "x"}, headers={"Authorization": "Bearer w"})
    right = await service.post(OPENAI, json=SMALL, headers={"Authorization": "Bearer right"})
    assert (missing.status_code, missing.json()["error"]["code"]) == (401, "invalid_api_key")
    assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid_api_key")
    assert right.status_code == 200


def test_a_key_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_KEY", raising=False)
    with pytest.raises(SecretMissingError, match="env:LOCAL_KEY"):
        create_app(ImageServiceConfig(key="env:LOCAL_KEY"))


async def test_latency_comes_before_the_answer(serve: Serve) -> None:
    service = await serve(create_app(ImageServiceConfig(latency_s=0.5)))
    with pytest.raises(httpx.ReadTimeout):
        await service.post(OPENAI, json=SMALL, timeout=0.1)
    assert (await order(service)).status_code == 200


async def test_the_journal_tells_each_call_and_can_be_emptied(service: httpx.AsyncClient) -> None:
    await order(service)
    await order(service, fault="unavailable")
    calls = (await service.get("/journal")).json()["calls"]
    shown = [(call["path"], call["correlation_id"], call["prompt"], call["fault"], call["status"]) for call in calls]
    assert shown == [
        (OPENAI, "req-1", "a red fox", None, 200),
        (OPENAI, "req-1", "a red fox", "unavailable", 503),
    ]
    assert (await service.delete("/journal")).json() == {"calls": [], "paid": {}}
    assert (await service.get("/healthz")).status_code == 200


def test_the_command_serves_until_sigterm_though_a_client_hangs(launch: Launch, tmp_path: Path) -> None:
    rules = tmp_path / "faults.json"
    rules.write_text(json.dumps([{"match": "hang", "kind": "hang", "times": 0}]))
    process = launch(MODULE, "--port", "0", "--faults", str(rules), "--key-env", "LOCAL_KEY", LOCAL_KEY="right")
    assert process.stdout is not None
    name, _, url = process.stdout.readline().strip().partition(" ready on ")
    headers = {"Authorization": "Bearer right"}
    assert name == "image service"
    assert httpx.post(f"{url}{OPENAI}", json=SMALL, headers=headers).status_code == 200
    with pytest.raises(httpx.ReadTimeout), httpx.Client(timeout=0.3, headers=headers) as client:
        client.post(f"{url}/generate", json={"text_prompt": "hang"})
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


def test_the_command_says_in_one_line_what_is_wrong(launch: Launch, tmp_path: Path) -> None:
    rules = tmp_path / "faults.json"
    rules.write_text('[{"kind": "bogus"}]')
    _, bad_rules = launch(MODULE, "--faults", str(rules)).communicate(timeout=20)
    _, no_key = launch(MODULE, "--key-env", "NOT_THERE_AT_ALL").communicate(timeout=20)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        _, no_port = launch(MODULE, "--port", str(port)).communicate(timeout=20)
    assert "0.kind" in bad_rules
    assert "NOT_THERE_AT_ALL" in no_key
    assert f"127.0.0.1:{port}" in no_port
    assert "Traceback" not in bad_rules + no_key + no_port
