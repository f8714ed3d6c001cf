"""Black Forest Labs' documented shapes, against a self-written server (pytest-httpserver)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import JsonValue
from pytest_httpserver import HTTPServer

from activities.services.base import Accepted, Completed, ImageService, Pending, RemoteArtifact
from contracts.errors import FailureClass as Class
from contracts.requests import Cost
from tests.services.calls import call, failing
from tests.services.job_accounts import ACCOUNTS, IMAGE_URL

Connect = Callable[..., ImageService]
JOB = ACCOUNTS["bfl"].job
RING = "https://orchestrator.example/rings/request-7"
SECRET = "ring-secret-of-ours"
FLEX = {"steps": "steps", "cfg_scale": "guidance"}
ULTRA = {"width": "", "height": "", "aspect_ratio": "aspect_ratio"}


@pytest.fixture
def service(httpserver: HTTPServer, connect: Connect) -> ImageService:
    return connect("bfl", httpserver.url_for("/"), model="flux-2-pro")


def play(server: HTTPServer, http_status: int = 200, **task: JsonValue) -> None:
    content = {"id": "t1", "result": None, "progress": None, "details": None, "preview": None, **task}
    server.expect_request("/v1/get_result", query_string="id=t1").respond_with_json(content, status=http_status)


async def submit(server: HTTPServer, service: ImageService, **fields: object) -> JsonValue:
    server.expect_request("/v1/flux-2-pro", method="POST").respond_with_json(dict(ACCOUNTS["bfl"].accepted))
    await service.submit(call(5.0, **fields))
    value: JsonValue = server.log[-1][0].json
    return value


# --- what is asked ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "asked", "sent"),
    [
        ({}, {}, {"width": 1024, "height": 1024}),
        ({}, {"width": 640, "height": 480, "seed": 7}, {"width": 640, "height": 480, "seed": 7}),
        ({}, {"width": 64, "height": 64}, {"width": 64, "height": 64}),
        ({}, {"width": 2048, "height": 2048}, {"width": 2048, "height": 2048}),
        ({}, {"width": 1000, "height": 1000}, {"width": 1008, "height": 1008}),
        ({}, {"width": 32, "height": 32}, {"width": 64, "height": 64}),
        ({}, {"width": 4096, "height": 4096}, {"width": 2048, "height": 2048}),
        ({}, {"aspect_ratio": "16:9"}, {"width": 1360, "height": 768}),
        ({}, {"steps": 20, "cfg_scale": 3.5}, {"width": 1024, "height": 1024}),
        (FLEX, {"steps": 20, "cfg_scale": 3.5}, {"width": 1024, "height": 1024, "steps": 20, "guidance": 3.5}),
        (ULTRA, {"aspect_ratio": "21:9"}, {"aspect_ratio": "21:9"}),
        (ULTRA, {"width": 1344, "height": 576}, {"aspect_ratio": "7:3"}),
        (ULTRA, {}, {}),
        (
            {},
            {"custom": {"output_format": "png", "lora": "x"}},
            {"width": 1024, "height": 1024, "output_format": "png"},
        ),
    ],
)
async def test_what_is_asked(
    fields: dict[str, str],
    asked: dict[str, object],
    sent: dict[str, JsonValue],
    httpserver: HTTPServer,
    connect: Connect,
) -> None:
    service = connect("bfl", httpserver.url_for("/"), model="flux-2-pro", fields=fields)
    assert await submit(httpserver, service, **asked) == {"prompt": "a harbour at dawn", **sent}


async def test_a_negative_prompt_becomes_words(httpserver: HTTPServer, connect: Connect) -> None:
    service = connect("bfl", httpserver.url_for("/"), model="flux-2-pro", on_unsupported="emulate")
    body = await submit(httpserver, service, negative_prompt="people")
    assert isinstance(body, dict)
    assert str(body["prompt"]).endswith("people")
    assert "negative_prompt" not in body


@pytest.mark.parametrize("base", ["", "v1", "v1/"])
async def test_the_path(base: str, httpserver: HTTPServer, connect: Connect) -> None:
    await submit(httpserver, connect("bfl", httpserver.url_for(f"/{base}"), model="flux-2-pro"))


async def test_it_rings_only_with_a_signature(httpserver: HTTPServer, connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    signed = connect("bfl", httpserver.url_for("/"), model="flux-2-pro", webhook_secret=f"file:{tmp_path}/secret")
    unsigned = connect("bfl", httpserver.url_for("/"), model="flux-2-pro")
    httpserver.expect_request("/v1/flux-2-pro").respond_with_json(dict(ACCOUNTS["bfl"].accepted))
    for service in (signed, unsigned):
        await service.submit(replace(call(), webhook_url=RING))
    bodies = [request.json for request, _ in httpserver.log]
    assert (bodies[0]["webhook_url"], bodies[0]["webhook_secret"]) == (RING, SECRET)
    assert not {"webhook_url", "webhook_secret"} & set(bodies[1])


async def test_a_secret_that_is_repeated_is_hidden(httpserver: HTTPServer, connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    service = connect("bfl", httpserver.url_for("/"), model="flux-2-pro", webhook_secret=f"file:{tmp_path}/secret")
    httpserver.expect_request("/v1/flux-2-pro").respond_with_json({"detail": f"bad {SECRET}"}, status=422)
    error = await failing(service.submit(replace(call(), webhook_url=RING)), Class.INVALID_REQUEST)
    assert SECRET not in error.failure.model_dump_json()


async def test_a_missing_secret_sends_nothing(httpserver: HTTPServer, connect: Connect, tmp_path: Path) -> None:
    service = connect("bfl", httpserver.url_for("/"), model="flux-2-pro", webhook_secret=f"file:{tmp_path}/none")
    error = await failing(service.submit(replace(call(), webhook_url=RING)), Class.AUTHENTICATION_FAILED)
    assert f"file:{tmp_path}/none" in error.failure.message
    assert not httpserver.log


# --- what is answered -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        (3.0, Decimal("3.0")),
        (1.4, Decimal("1.4")),
        (0, Decimal(0)),
        (None, None),
        ("3", None),
        (True, None),
        (-1, None),
    ],
)
async def test_the_cost_is_told_with_the_task(
    cost: JsonValue, expected: Decimal | None, httpserver: HTTPServer, service: ImageService
) -> None:
    httpserver.expect_request("/v1/flux-2-pro").respond_with_json({**ACCOUNTS["bfl"].accepted, "cost": cost})
    answer = await service.submit(call())
    assert isinstance(answer, Accepted)
    assert answer.cost == (None if expected is None else Cost(amount=expected, currency="credits"))


async def test_the_image(httpserver: HTTPServer, service: ImageService) -> None:
    play(httpserver, status="Ready", result={"sample": IMAGE_URL, "prompt": "a harbour", "seed": 7, "duration": 2.5})
    done = await service.poll(JOB, call(width=1000, height=1000))
    assert isinstance(done, Completed)
    assert done.artifacts == (RemoteArtifact(url=IMAGE_URL, seed=7),)
    assert (done.model, done.provider_request_id) == ("flux-2-pro", "t1")
    assert [warning.partition(":")[0] for warning in done.warnings] == ["size"]


async def test_not_finished(httpserver: HTTPServer, service: ImageService) -> None:
    play(httpserver, status="Pending", progress=0.5)
    assert await service.poll(JOB, call()) == Pending()


@pytest.mark.parametrize(
    "case",
    [
        ("Request Moderated", {"details": {"Moderation Reasons": ["Violence"]}}, Class.CONTENT_REJECTED, False),
        ("Content Moderated", {}, Class.CONTENT_REJECTED, True),
        ("Error", {}, Class.GENERATION_FAILED, None),
        ("Error", {"details": {"error": "out of memory"}}, Class.GENERATION_FAILED, None),
        ("Error", {"result": {"prompt": "a safety vest"}}, Class.GENERATION_FAILED, None),
        ("Error", {"error": "content_policy_violation"}, Class.CONTENT_REJECTED, None),
        ("Task not found", {}, Class.JOB_LOST, None),
        ("Ready", {}, Class.PROTOCOL_ERROR, None),
        ("Ready", {"result": {"sample": ""}}, Class.PROTOCOL_ERROR, None),
        ("Ready", {"result": {"sample": "/a.png"}}, Class.PROTOCOL_ERROR, None),
        ("Ready", {"result": [IMAGE_URL]}, Class.PROTOCOL_ERROR, None),
    ],
)
async def test_a_task_that_ends_without_an_image(
    case: tuple[str, dict[str, JsonValue], Class, bool | None], httpserver: HTTPServer, service: ImageService
) -> None:
    status, task, expected, output_refused = case
    play(httpserver, 200, status=status, **task)
    failure = (await failing(service.poll(JOB, call()), expected)).failure
    assert failure.output_refused is output_refused


@pytest.mark.parametrize(
    ("status", "expected"),
    [(404, Class.JOB_LOST), (403, Class.AUTHENTICATION_FAILED), (500, Class.PROVIDER_INTERNAL)],
)
async def test_a_poll_that_is_refused(
    status: int, expected: Class, httpserver: HTTPServer, service: ImageService
) -> None:
    play(httpserver, status, status="Task not found")
    await failing(service.poll(JOB, call()), expected)


@pytest.mark.parametrize(
    ("status", "detail", "expected"),
    [
        (400, "bad", Class.INVALID_REQUEST),
        (402, "Insufficient credits", Class.QUOTA_EXHAUSTED),
        (403, "Not authenticated - Invalid Authentication", Class.AUTHENTICATION_FAILED),
        (404, "Not Found", Class.MODEL_NOT_FOUND),
        (
            422,
            [{"loc": ["body", "width"], "msg": "must be a multiple of 16", "type": "multiple_of"}],
            Class.INVALID_REQUEST,
        ),
        (429, "Rate limit exceeded", Class.CONCURRENCY_LIMITED),
        (429, "", Class.CONCURRENCY_LIMITED),
        (500, "Internal error", Class.PROVIDER_INTERNAL),
        (503, "Unavailable", Class.PROVIDER_OVERLOADED),
    ],
)
async def test_a_submit_that_is_refused(
    status: int, detail: JsonValue, expected: Class, httpserver: HTTPServer, service: ImageService
) -> None:
    httpserver.expect_request("/v1/flux-2-pro").respond_with_json({"detail": detail}, status=status)
    await failing(service.submit(call()), expected)


async def test_there_is_nothing_to_cancel(httpserver: HTTPServer, service: ImageService) -> None:
    await service.cancel(JOB, call())
    assert not httpserver.log
