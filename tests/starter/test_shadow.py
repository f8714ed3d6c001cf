"""Copies to an old system, a self-written double, and the callbacks that it sends to us in place of Odoo."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from temporalio.client import Client

from runtime.embedded import free_ports
from starter.metrics import StarterMetrics
from starter.shadow.copies import Copy, Shadow
from starter.shadow.journal import CallbackRecord, CopyRecord, DroppedRecord, ImageFacts, ShadowJournal
from starter.wire.server import listening
from tests.starter.at_work import HEIGHT, IMAGE, WIDTH
from tests.starter.front import event, make_settings, running_starter
from tests.starter.old_system import SECRET, TOLD, OldSystem, Site, alike, answered, callback, failed, told


@pytest.fixture
async def site(tmp_path: Path, temporal_client: Client) -> AsyncIterator[Site]:
    old = OldSystem()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(listening(old, "127.0.0.1", 0))
        settings = make_settings(tmp_path, routes=routes(tmp_path, url))
        front = await stack.enter_async_context(running_starter(settings, temporal_client))
        yield Site(front, old, ShadowJournal(settings.store.path))


def routes(directory: Path, old_url: str) -> dict[str, Any]:
    (directory / "callback-secret").write_text(SECRET, encoding="utf-8")
    auth = {"kind": "header", "name": "X-N8N-Signature", "secret": f"file:{directory / 'callback-secret'}"}
    common = {"odoo": "main", "services": ["main"], "callback": {"path": "/callback", "auth": auth}}
    shadow = f"{old_url}/webhook/old"
    return {
        "copied": {"path": "copied", "dialect": "event", "shadow": shadow, **common},
        "adapter": {"path": "adapter", "dialect": "adapter", "shadow": shadow, **common},
        "lost": {"path": "lost", "dialect": "event", "shadow": f"http://127.0.0.1:{free_ports([0])[0]}", **common},
        "alone": {"path": "alone", "dialect": "event", **common},
    }


async def test_the_copy_is_the_request_as_it_was_received(site: Site) -> None:
    body = json.dumps(event(), indent=3).encode()
    headers = {"Content-Type": "application/json", "Authorization": "Bearer abc", "X-Odoo": "7", "Connection": "x-hop"}
    await site.front.http.post("/webhook/copied?a=1&b=%20", content=body, headers={**headers, "X-Hop": "1"})
    await site.records(1)
    ((request, copied),) = site.old.got
    assert (request.method, request.url.path, request.url.query) == ("POST", "/webhook/old", "a=1&b=%20")
    assert copied == body
    kept = ("content-type", "authorization", "x-odoo", "user-agent")
    assert [request.headers.get(name) for name in kept[:3]] == ["application/json", "Bearer abc", "7"]
    assert request.headers["user-agent"] == site.front.http.headers["user-agent"]
    assert "x-hop" not in request.headers
    assert request.headers["host"] not in site.front.url


async def test_a_packed_body_is_copied_unpacked(site: Site) -> None:
    body = json.dumps(event()).encode()
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    await site.front.http.post("/webhook/copied", content=gzip.compress(body), headers=headers)
    await site.records(1)
    ((request, copied),) = site.old.got
    assert (copied, "content-encoding" in request.headers) == (body, False)


async def test_both_acknowledgements_are_recorded(site: Site) -> None:
    body = event()
    answer = await site.front.post("copied", body)
    (record,) = await site.copies(1)
    assert (record.route, record.request_id) == ("copied", body["requestId"])
    assert record.workflow_id == f"copied/{body['requestId']}"
    assert record.theirs is not None
    assert (record.ours.status, json.loads(record.ours.head)) == (200, answer.json())
    assert (record.theirs.status, json.loads(record.theirs.head)) == (200, answer.json())
    assert record.ours.sha256 != record.theirs.sha256


async def test_an_old_system_that_hangs_or_is_gone_delays_nothing(site: Site) -> None:
    released = asyncio.Event()

    async def hang(body: bytes) -> Response:
        await released.wait()
        return alike(body)

    site.old.answer = hang
    answers = [await site.front.post(path, event()) for path in ("copied", "lost", "copied")]
    assert [answer.status_code for answer in answers] == [200] * 3
    (lost,) = await site.copies(1)
    assert (lost.route, lost.theirs, (lost.problem or "").partition(":")[0]) == ("lost", None, "ConnectError")
    released.set()
    assert len(await site.copies(3)) == 3


async def test_what_is_repeated_or_refused_is_not_copied(site: Site) -> None:
    body = event()
    for sent in (body, body, {**body, "prompt": "another"}, event(callbackUrl="https://evil.example")):
        await site.front.post("copied", sent)
    await site.front.post("alone", event())
    last = event()
    await site.front.post("copied", last)
    await site.records(2)
    assert [json.loads(copied)["requestId"] for copied in site.old.bodies()] == [body["requestId"], last["requestId"]]


async def test_a_redirect_is_recorded_and_not_followed(site: Site) -> None:
    async def redirect(_body: bytes) -> Response:
        return RedirectResponse("/elsewhere")

    site.old.answer = redirect
    await site.front.post("copied", event())
    (record,) = await site.copies(1)
    assert (record.theirs and record.theirs.status, len(site.old.got)) == (307, 1)


async def test_of_a_long_answer_the_head_and_the_digest_are_kept(site: Site) -> None:
    async def long(_body: bytes) -> Response:
        return Response(b"x" * 5000)

    site.old.answer = long
    await site.front.post("copied", event())
    (record,) = await site.copies(1)
    assert record.theirs is not None
    assert (record.theirs.size, record.theirs.head) == (5000, "x" * 2048)


async def test_more_copies_than_may_wait_are_dropped_and_counted(site: Site, tmp_path: Path) -> None:
    released = asyncio.Event()

    async def hang(body: bytes) -> Response:
        await released.wait()
        return alike(body)

    site.old.answer = hang
    metrics, journal = StarterMetrics(), ShadowJournal(tmp_path / "other")
    shadow = Shadow(site.front.settings, journal, metrics, queued=3)
    async with shadow.running():
        for number in range(5):
            shadow.offer(_copy(site, str(number)))
        released.set()
    records = list(journal.records())
    dropped = [record.count for record in records if isinstance(record, DroppedRecord)]
    assert (sum(dropped), sum(isinstance(record, CopyRecord) for record in records)) == (2, 3)
    told = (await metrics.answer(Request({"type": "http"}))).body
    assert b'orchestrator_shadow_copies_dropped_total{route="copied"} 2.0' in told


async def test_bodies_that_wait_are_bounded_too(site: Site, tmp_path: Path) -> None:
    journal = ShadowJournal(tmp_path / "other")
    shadow = Shadow(site.front.settings, journal, StarterMetrics())
    large = b'{"a":"' + b"x" * (40 * 2**20) + b'"}'
    async with shadow.running():
        shadow.offer(_copy(site, "1", large))
        shadow.offer(_copy(site, "2", large))
    assert [len(body) for body in site.old.bodies()] == [len(large)]


def _copy(site: Site, request_id: str, body: bytes = b"{}") -> Copy:
    url = str(site.front.settings.routes["copied"].shadow)
    return Copy("copied", url, "POST", (), body, request_id, f"copied/{request_id}", answered())


async def test_an_outcome_is_recorded_without_its_pixels(site: Site) -> None:
    answer = await told(site.front, "copied", callback("r-1"))
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    (record,) = await site.records(1)
    assert isinstance(record, CallbackRecord)
    assert (record.workflow_id, record.completed, record.error_code) == ("copied/r-1", True, None)
    assert record.images == (ImageFacts(media_type="image/png", width=WIDTH, height=HEIGHT, size=len(IMAGE)),)


async def test_a_json_rpc_callback_is_answered_in_its_envelope(site: Site) -> None:
    params: JsonValue = {"request_id": "r-1", "status": "failure", "error_code": "X", "error_message": "no"}
    answer = await told(site.front, "adapter", {"jsonrpc": "2.0", "method": "call", "id": 42, "params": params})
    assert answer.json() == {"jsonrpc": "2.0", "id": 42, "result": {"status": "success"}}


async def test_an_id_that_no_file_takes_is_recorded_all_the_same(site: Site) -> None:
    answer = await told(site.front, "copied", failed("r-\ud800", "X"))
    (record,) = await site.records(1)
    assert (answer.status_code, isinstance(record, CallbackRecord) and record.request_id) == (200, "r-?")


@pytest.mark.parametrize("image", [b"no image", b"\x89PNG\r\n\x1a\n", b""])
async def test_an_image_that_is_none_is_no_error(site: Site, image: bytes) -> None:
    assert (await told(site.front, "copied", callback("r-1", image))).status_code == 200


@pytest.mark.parametrize(
    ("route", "headers", "body", "status"),
    [
        ("copied", {}, callback("r-1"), 403),
        ("copied", {"X-N8N-Signature": "wrong"}, callback("r-1"), 403),
        ("alone", TOLD, callback("r-1"), 404),
        ("nowhere", TOLD, callback("r-1"), 404),
        ("copied", TOLD, {"status": "completed"}, 422),
        ("copied", TOLD, {"requestId": "r-1", "status": "perhaps"}, 422),
        ("copied", TOLD, [1], 422),
    ],
)
async def test_what_cannot_be_taken_is_said(
    site: Site, route: str, headers: dict[str, str], body: JsonValue, status: int
) -> None:
    assert (await told(site.front, route, body, headers)).status_code == status
    assert list(site.journal.records()) == []
