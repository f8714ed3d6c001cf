"""What every kind of service must do, over real sockets against a self-written server."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import JsonValue

from activities.services.base import Accepted, Completed, ImageService, InlineArtifact, RemoteArtifact
from contracts.errors import FailureClass as Class
from contracts.requests import JobReference
from tests.services.calls import TRACEPARENT, call, failing, picture
from tests.services.scripted import Script, ScriptedServer

Connect = Callable[..., ImageService]
PNG = picture()
TEXT = base64.b64encode(PNG).decode()
MEMBER = {"a1111": "images", "openai": "data", "flux_lora": "images", "together": "data"}
INLINE = {"a1111": "base64", "openai": "b64_json", "flux_lora": "base64", "together": "b64_json"}
HTML = Script(200, b"<!doctype html><html></html>", {"Content-Type": "text/html"})
KEY = "k3y-of-the-service"


def made(kind: str) -> dict[str, JsonValue]:
    """An answer with one image inside, as each kind sends it."""
    if kind == "gemini":
        part: JsonValue = {"inlineData": {"mimeType": "image/png", "data": TEXT}}
        return {"candidates": [{"content": {"parts": [part]}, "finishReason": "STOP"}]}
    if kind == "stability":
        return {"image": TEXT, "finish_reason": "SUCCESS"}
    return {MEMBER[kind]: [{INLINE[kind]: TEXT}]}


def error_body(kind: str, message: str, code: str) -> dict[str, JsonValue]:
    if kind in {"openai", "together"}:
        return {"error": {"message": message, "type": "x", "param": None, "code": code}}
    if kind == "gemini":
        return {"error": {"code": 400, "message": message, "status": code}}
    if kind == "stability":
        return {"id": "1", "name": code, "errors": [message]}
    return {"error": message, "code": code}


def completed(answer: Completed | Accepted) -> Completed:
    assert isinstance(answer, Completed)
    return answer


async def test_an_image_inside_the_answer(kind: str, server: ScriptedServer, connect: Connect) -> None:
    server.answer(made(kind), headers={"X-Request-Id": "req_1"})
    answer = completed(await connect(kind, server.url, model="core").submit(call()))
    assert answer == Completed((InlineArtifact(PNG),), "core", "req_1")


async def test_images_by_url_are_downloaded_without_credentials(
    listing_kind: str, server: ScriptedServer, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(KEY)
    service = connect(listing_kind, server.url, auth={"kind": "bearer", "secret": f"file:{tmp_path}/key"})
    server.answer({MEMBER[listing_kind]: [{"url": f"{server.url}/a.png"}]}, headers={"Set-Cookie": "session=1"})
    (artifact,) = completed(await service.submit(call())).artifacts
    assert artifact == RemoteArtifact(url=f"{server.url}/a.png")
    server.play(Script(body=PNG, headers={"Content-Type": "image/png"}))
    assert await service.download(artifact, call()) == PNG
    asked, fetched = server.received
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert (fetched.method, fetched.path) == ("GET", "/a.png")
    assert not {"authorization", "cookie"} & set(fetched.headers)


async def test_the_call_names_the_request(kind: str, server: ScriptedServer, connect: Connect) -> None:
    server.answer(made(kind), headers={"Set-Cookie": "session=1"})
    service = connect(kind, server.url)
    await service.submit(call())
    await service.submit(call())
    for received in server.received:
        assert received.method == "POST"
        assert received.headers["x-correlation-id"] == "request-7"
        assert received.headers["traceparent"] == TRACEPARENT
        assert received.headers["user-agent"] == "odoo-image-orchestrator"
        form, json = "multipart/form-data; boundary=", "application/json"
        assert received.headers["content-type"].startswith(form if kind == "stability" else json)
        assert received.headers["accept"] == "application/json"
        assert not {"authorization", "cookie"} & set(received.headers)


async def test_a_rotated_secret_is_used_at_once(
    kind: str, server: ScriptedServer, connect: Connect, tmp_path: Path
) -> None:
    server.answer(made(kind))
    service = connect(kind, server.url, auth={"kind": "header", "name": "X-Key", "secret": f"file:{tmp_path}/key"})
    for key in ("first", "second"):
        (tmp_path / "key").write_text(key)
        await service.submit(call())
    assert [received.headers["x-key"] for received in server.received] == ["first", "second"]


async def test_basic_authentication(kind: str, server: ScriptedServer, connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("päss:word")
    auth = {"kind": "basic", "user": "odoo", "password": f"file:{tmp_path}/password"}
    server.answer(made(kind))
    await connect(kind, server.url, auth=auth).submit(call())
    sent = base64.b64decode(server.received[0].headers["authorization"].removeprefix("Basic "))
    assert sent.decode() == "odoo:päss:word"


@pytest.mark.parametrize("content", [None, "", "two\nlines", "ünsendable"])
async def test_an_unusable_secret_is_named_and_nothing_is_sent(
    kind: str, content: str | None, server: ScriptedServer, connect: Connect, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "key").write_text(content)
    service = connect(kind, server.url, auth={"kind": "bearer", "secret": f"file:{tmp_path}/key"})
    error = await failing(service.submit(call()), Class.AUTHENTICATION_FAILED)
    assert f"file:{tmp_path}/key" in error.failure.message
    assert not server.received


@pytest.mark.parametrize(
    "case",
    [
        (400, "moderation_blocked", Class.CONTENT_REJECTED),
        (400, "bad_size", Class.INVALID_REQUEST),
        (422, "invalid", Class.INVALID_REQUEST),
        (401, "invalid_api_key", Class.AUTHENTICATION_FAILED),
        (402, "payment_required", Class.QUOTA_EXHAUSTED),
        (403, "forbidden", Class.PERMISSION_DENIED),
        (404, "not_found", Class.MODEL_NOT_FOUND),
        (404, "model_not_found", Class.MODEL_NOT_FOUND),
        (429, "insufficient_quota", Class.QUOTA_EXHAUSTED),
        (429, "queue_full", Class.CONCURRENCY_LIMITED),
        (500, "server_error", Class.PROVIDER_INTERNAL),
        (502, "bad_gateway", Class.OUTCOME_UNKNOWN),
        (503, "service_unavailable", Class.PROVIDER_OVERLOADED),
        (529, "overloaded", Class.PROVIDER_OVERLOADED),
    ],
)
async def test_a_refusal_in_the_kinds_own_shape(
    kind: str, case: tuple[int, str, Class], server: ScriptedServer, connect: Connect
) -> None:
    status, code, expected = case
    server.answer(error_body(kind, "because", code), status, {"X-Request-Id": "req_2"})
    failure = (await failing(connect(kind, server.url).submit(call()), expected)).failure
    assert (failure.service, failure.http_status, failure.provider_code) == ("svc", status, code)
    assert failure.message == f"HTTP {status}: because"
    assert failure.provider_request_id == "req_2"
    assert len(server.received) == 1


async def test_retry_after_is_handed_on(kind: str, server: ScriptedServer, connect: Connect) -> None:
    server.answer(error_body(kind, "slow down", "rate_limit_exceeded"), 429, {"Retry-After": "2.5"})
    error = await failing(connect(kind, server.url).submit(call()), Class.RATE_LIMITED)
    assert error.retry_after_s == 2.5


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (Script(then="drop"), Class.OUTCOME_UNKNOWN),
        (Script(then="hang"), Class.OUTCOME_UNKNOWN),
        (Script(body=b'{"data": [', then="cut"), Class.OUTCOME_UNKNOWN),
        (Script(body=b"not gzip", headers={"Content-Encoding": "gzip"}), Class.OUTCOME_UNKNOWN),
        (Script(500, HTML.body), Class.OUTCOME_UNKNOWN),
        (Script(502), Class.OUTCOME_UNKNOWN),
        (Script(500, then="endless"), Class.OUTCOME_UNKNOWN),
        (Script(400, then="endless"), Class.INVALID_REQUEST),
        (Script(200, then="endless"), Class.PROTOCOL_ERROR),
        (Script(404, HTML.body), Class.MODEL_NOT_FOUND),
        (HTML, Class.PROTOCOL_ERROR),
        (Script(204), Class.PROTOCOL_ERROR),
        (Script(200, b"{}"), Class.PROTOCOL_ERROR),
        (Script(200, PNG, {"Content-Type": "image/png"}), Class.PROTOCOL_ERROR),
    ],
)
async def test_breaks_and_nonsense(
    kind: str, script: Script, expected: Class, server: ScriptedServer, connect: Connect
) -> None:
    server.play(script)
    timeout_s = 0.5 if script.then == "hang" else 10
    service = connect(kind, server.url, image_limit=2**17)
    await failing(service.submit(call(timeout_s)), expected)
    assert len(server.received) == 1


async def test_a_service_that_is_not_there(kind: str, connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    await failing(connect(kind, f"http://127.0.0.1:{port}").submit(call()), Class.CONNECT_FAILED)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_paid_call_follows_no_redirect(
    kind: str, status: int, server: ScriptedServer, connect: Connect
) -> None:
    server.play(Script(status, headers={"Location": f"{server.url}/elsewhere"}))
    error = await failing(connect(kind, server.url).submit(call()), Class.MODEL_NOT_FOUND)
    assert f"{server.url}/elsewhere (correct the service's base_url)" in error.failure.message
    assert len(server.received) == 1


async def test_a_secret_that_the_service_repeats_is_hidden(
    kind: str, server: ScriptedServer, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(KEY)
    service = connect(kind, server.url, auth={"kind": "bearer", "secret": f"file:{tmp_path}/key"})
    for code in (KEY, "x"):
        server.answer(error_body(kind, f"Bearer {KEY} or {KEY}", code), 401, {"X-Request-Id": KEY})
        error = await failing(service.submit(call()), Class.AUTHENTICATION_FAILED)
        assert KEY not in error.failure.model_dump_json() + repr(error)


async def test_a_number_that_json_cannot_carry(listing_kind: str, server: ScriptedServer, connect: Connect) -> None:
    request = call(cfg_scale=float("nan"), custom={"n": float("inf")})
    await failing(connect(listing_kind, server.url).submit(request), Class.INVALID_REQUEST)
    assert not server.received


async def test_a_bad_ratio_is_the_senders_fault(kind: str, server: ScriptedServer, connect: Connect) -> None:
    error = await failing(connect(kind, server.url).submit(call(aspect_ratio="wide")), Class.INVALID_REQUEST)
    assert "aspect_ratio" in error.failure.message
    assert not server.received


async def test_there_are_no_jobs(kind: str, server: ScriptedServer, connect: Connect) -> None:
    service, job = connect(kind, server.url), JobReference(service="svc", job_id="job-1")
    await failing(service.poll(job, call()), Class.JOB_LOST)
    assert await service.find(call()) is None
    await service.cancel(job, call())
    assert not server.received


async def test_many_calls_at_once(kind: str, server: ScriptedServer, connect: Connect) -> None:
    server.answer(made(kind))
    service = connect(kind, server.url)
    answers = await asyncio.gather(*(service.submit(call(30)) for _ in range(200)))
    assert {answer.artifacts for answer in map(completed, answers)} == {(InlineArtifact(PNG),)}
    assert len(server.received) == 200
