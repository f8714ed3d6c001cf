"""What every service that works in jobs must do, over real sockets against a self-written server."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from pydantic import JsonValue

from activities.services.base import Accepted, ImageService, Pending
from contracts.errors import FailureClass as Class
from contracts.requests import JobReference
from tests.services.calls import TRACEPARENT, call, failing
from tests.services.job_accounts import ACCOUNTS, Account
from tests.services.scripted import Script, ScriptedServer

Connect = Callable[..., ImageService]
HTML = b"<!doctype html><html></html>"
KEY = "k3y-of-the-service"


@pytest.fixture(params=sorted(ACCOUNTS))
def job_kind(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


@pytest.fixture
def account(job_kind: str) -> Account:
    return ACCOUNTS[job_kind]


@pytest.fixture
def service(job_kind: str, account: Account, server: ScriptedServer, connect: Connect) -> ImageService:
    return connect(job_kind, server.url, model=account.model, image_limit=2**17)


async def test_a_job_is_accepted_with_the_urls_as_returned(
    service: ImageService, account: Account, server: ScriptedServer
) -> None:
    server.answer(dict(account.accepted), 201)
    answer = await service.submit(call())
    assert isinstance(answer, Accepted)
    assert answer.job == account.job
    (received,) = server.received
    assert received.method == "POST"
    assert received.headers["x-correlation-id"] == "request-7"
    assert received.headers["traceparent"] == TRACEPARENT


async def test_a_job_that_is_not_finished(service: ImageService, account: Account, server: ScriptedServer) -> None:
    server.answer(dict(account.pending), 200)
    assert await service.poll(account.job, call()) == Pending()
    (received,) = server.received
    assert received.method == "GET"
    assert account.job.status_url is not None
    assert account.job.status_url.endswith(received.path)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, Class.INVALID_REQUEST),
        (401, Class.AUTHENTICATION_FAILED),
        (402, Class.QUOTA_EXHAUSTED),
        (404, Class.MODEL_NOT_FOUND),
        (422, Class.INVALID_REQUEST),
        (500, Class.PROVIDER_INTERNAL),
        (502, Class.OUTCOME_UNKNOWN),
        (503, Class.PROVIDER_OVERLOADED),
        (504, Class.OUTCOME_UNKNOWN),
    ],
)
async def test_a_refused_submit(
    status: int, expected: Class, service: ImageService, account: Account, server: ScriptedServer
) -> None:
    server.answer(dict(account.failure), status)
    failure = (await failing(service.submit(call()), expected)).failure
    assert failure.message == f"HTTP {status}: because"
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (Script(then="drop"), Class.OUTCOME_UNKNOWN),
        (Script(then="hang"), Class.OUTCOME_UNKNOWN),
        (Script(body=b'{"id": ', then="cut"), Class.OUTCOME_UNKNOWN),
        (Script(500, HTML), Class.OUTCOME_UNKNOWN),
        (Script(302, headers={"Location": "http://169.254.169.254/"}), Class.MODEL_NOT_FOUND),
        (Script(200, HTML), Class.PROTOCOL_ERROR),
        (Script(204), Class.PROTOCOL_ERROR),
        (Script(200, b"{}"), Class.PROTOCOL_ERROR),
        (Script(200, b"[]"), Class.PROTOCOL_ERROR),
        (Script(200, then="endless"), Class.PROTOCOL_ERROR),
    ],
)
async def test_a_broken_submit_is_never_repeated(
    script: Script, expected: Class, service: ImageService, server: ScriptedServer
) -> None:
    server.play(script)
    await failing(service.submit(call(0.5 if script.then == "hang" else 10)), expected)
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (Script(then="drop"), Class.PROVIDER_INTERNAL),
        (Script(then="hang"), Class.PROVIDER_INTERNAL),
        (Script(500, HTML), Class.PROVIDER_INTERNAL),
        (Script(502), Class.PROVIDER_INTERNAL),
        (Script(503), Class.PROVIDER_OVERLOADED),
        (Script(404, b'{"detail": "Not found."}'), Class.JOB_LOST),
        (Script(410), Class.JOB_LOST),
        (Script(401, b'{"detail": "no"}'), Class.AUTHENTICATION_FAILED),
        (Script(302, headers={"Location": "http://169.254.169.254/"}), Class.MODEL_NOT_FOUND),
        (Script(200, HTML), Class.PROTOCOL_ERROR),
        (Script(200, b"{}"), Class.PROTOCOL_ERROR),
        (Script(200, b'{"status": "PONDERING"}'), Class.PROTOCOL_ERROR),
        (Script(200, b'{"status": ["succeeded"]}'), Class.PROTOCOL_ERROR),
    ],
)
async def test_a_poll_that_fails(
    script: Script, expected: Class, service: ImageService, account: Account, server: ScriptedServer
) -> None:
    server.play(script)
    await failing(service.poll(account.job, call(0.5 if script.then == "hang" else 10)), expected)
    assert len(server.received) == 1


async def test_a_service_that_is_not_there(job_kind: str, account: Account, connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    service = connect(job_kind, f"http://127.0.0.1:{port}", model=account.model)
    await failing(service.submit(call()), Class.CONNECT_FAILED)
    await failing(service.poll(account.job, call()), Class.CONNECT_FAILED)


@pytest.mark.parametrize("member", ["id", "request_id", "status_url", "response_url", "polling_url", "urls"])
@pytest.mark.parametrize("value", [None, 7, "", "a\nb", "x" * 3000, {}])
async def test_a_job_that_cannot_be_followed(
    member: str, value: JsonValue, service: ImageService, account: Account, server: ScriptedServer
) -> None:
    server.answer({**account.accepted, member: value})
    if member in account.accepted:
        await failing(service.submit(call()), Class.PROTOCOL_ERROR)
    else:
        assert isinstance(await service.submit(call()), Accepted)


@pytest.mark.parametrize("url", ["https://evil.example/a", "http://169.254.169.254/a", "file:///etc/passwd"])
async def test_a_job_at_another_host_is_kept_but_not_asked_for_there(
    url: str, job_kind: str, account: Account, connect: Connect
) -> None:
    """The service's own host is configured: nothing of this reaches the network."""
    base = {
        "fal": "https://queue.fal.run",
        "replicate": "https://api.replicate.com",
        "bfl": "https://api.bfl.ai",
    }[job_kind]
    service = connect(job_kind, base, model=account.model)
    job = JobReference(service="svc", job_id="j", status_url=url, result_url=url, cancel_url=url)
    await failing(service.poll(job, call()), Class.PROTOCOL_ERROR)
    await failing(service.cancel(job, call()), Class.PROTOCOL_ERROR)


async def test_a_job_without_an_address_is_lost(service: ImageService, server: ScriptedServer) -> None:
    await failing(service.poll(JobReference(service="svc", job_id="j"), call()), Class.JOB_LOST)
    await service.cancel(JobReference(service="svc", job_id="j"), call())
    assert not server.received


@pytest.mark.parametrize("model", [None, "", "../admin", "a/../b", "a//b", "a b", "a?b=c", "a/b#c", "/a/b", "ü/b"])
async def test_a_model_that_is_no_path(
    model: str | None, job_kind: str, server: ScriptedServer, connect: Connect
) -> None:
    service = connect(job_kind, server.url, model=model)
    error = await failing(service.submit(call()), Class.MODEL_NOT_FOUND)
    assert "services.svc.model" in error.failure.message
    assert not server.received


async def test_nothing_is_found_without_an_address_to_ring_at(service: ImageService, server: ScriptedServer) -> None:
    assert await service.find(call()) is None
    assert not server.received


@pytest.mark.parametrize("ahead", [90, -90])
async def test_retry_after_as_a_date(
    ahead: int, service: ImageService, account: Account, server: ScriptedServer
) -> None:
    """A date that has passed already, by a clock that is wrong, names no time."""
    moment = datetime.now(UTC) + timedelta(seconds=ahead)
    server.answer(dict(account.failure), 503, {"Retry-After": format_datetime(moment, usegmt=True)})
    error = await failing(service.poll(account.job, call()), Class.PROVIDER_OVERLOADED)
    assert error.retry_after_s is None if ahead < 0 else 0 < (error.retry_after_s or 0) <= 90


async def test_a_key_that_the_service_repeats_is_hidden(
    job_kind: str, account: Account, server: ScriptedServer, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(KEY)
    auth = {"kind": "header", "name": "x-key", "secret": f"file:{tmp_path}/key"}
    service = connect(job_kind, server.url, model=account.model, auth=auth)
    server.answer({"detail": f"{KEY} is wrong"}, 401)
    error = await failing(service.submit(call()), Class.AUTHENTICATION_FAILED)
    assert server.received[0].headers["x-key"] == KEY
    assert KEY not in error.failure.model_dump_json() + repr(error)


async def test_a_number_that_json_cannot_carry(
    job_kind: str, account: Account, server: ScriptedServer, connect: Connect
) -> None:
    service = connect(job_kind, server.url, model=account.model, fields={"odd": "odd"})
    await failing(service.submit(call(custom={"odd": float("nan")})), Class.INVALID_REQUEST)
    assert not server.received


async def test_custom_fields_go_along_only_where_they_are_meant_to(
    job_kind: str, account: Account, server: ScriptedServer, connect: Connect
) -> None:
    service = connect(job_kind, server.url, model=account.model, fields={"mood": "tone"})
    server.answer(dict(account.accepted))
    custom = {"output_format": "png", "mood": "calm", "webhook": "https://x", "prompt": "other", "safety": False}
    await service.submit(call(custom=custom))
    sent = json.loads(server.received[0].body)
    content = sent.get("input", sent)
    assert content["output_format"] == "png"
    assert content["tone"] == "calm"
    assert content["prompt"] == "a harbour at dawn"
    assert not {"webhook", "safety", "mood"} & {*content, *sent}
