from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from starter.wire.server import ListenError, listening, serve
from tests.own_logs import own_logs
from tests.starter.front import JSON, Front, event, make_settings


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not done():
            await asyncio.sleep(0.01)


def events(logs: Sequence[MutableMapping[str, Any]]) -> list[str]:
    return [log["event"] for log in logs]


async def test_the_health_endpoints_answer_as_n8n_does(front: Front) -> None:
    for path in ("/healthz", "/healthz/readiness"):
        answer = await front.http.get(path)
        assert (answer.status_code, answer.content) == (200, b'{"status":"ok"}')
        assert answer.headers["etag"] == 'W/"f-VaSQ4oDUiZblZNAEkkN+sX+q3Sg"'
        assert (await front.http.head(path)).status_code == 200
        assert (await front.http.get(path, headers={"If-None-Match": answer.headers["etag"]})).status_code == 304


async def test_every_request_is_counted_by_what_became_of_it(front: Front) -> None:
    counted = [("accepted", "adapter"), ("deduplicated", "adapter"), ("refused_body", "adapter")]
    body = {**event(), "request_id": event()["requestId"], "user_id": 1, "influencer_profile_id": 1}
    before = [await front.counted(*each) for each in counted]
    for _ in range(2):
        await front.post("dialect/adapter", body)
    await front.post_bytes("dialect/adapter", b"[", JSON)
    after = [await front.counted(*each) for each in counted]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 1]


async def test_labels_take_configured_names_only(front: Front) -> None:
    await front.post("made/up/path-with-token", {})
    text = (await front.http.get("/metrics")).text
    assert 'result="refused_route",route="none"' in text
    assert "made" not in text


async def test_logs_name_the_request_and_never_its_content_or_path(front: Front) -> None:
    with capture_logs() as everything:
        body = event(prompt="a very private prompt")
        await front.post("dialect/event", body)
        await front.post("dialect/event", body)
        await front.post("made/up/path-with-token", body)
        await front.post_bytes("dialect/event", b'{"a-very-private": ', JSON)
    # Whatever else of this process logs meanwhile (an earlier test's request that is still waited for) is not asked.
    logs = [log for log in everything if log["event"].startswith("request_")]
    told = [(log["event"], log.get("request_id"), log.get("reason")) for log in logs]
    assert told == [
        ("request_accepted", body["requestId"], None),
        ("request_deduplicated", body["requestId"], None),
        ("request_refused", None, "refused_route"),
        ("request_refused", None, "refused_body"),
    ]
    run = await front.workflow("event", str(body["requestId"])).describe()
    assert [(log.get("workflow_id"), log.get("run_id")) for log in logs[:2]] == [(run.id, run.run_id)] * 2
    assert run.id == f"event/{body['requestId']}"
    assert "private" not in str(everything)
    assert "path-with-token" not in str(everything)


async def test_it_starts_says_where_and_ends_when_told(tmp_path: Path) -> None:
    stop = asyncio.Event()
    settings = make_settings(tmp_path, starter={"port": 0})
    with own_logs() as logs:
        running = asyncio.create_task(serve(settings, stop))
        await until(lambda: "starter_ready" in events(logs))
        url = next(log["url"] for log in logs if log["event"] == "starter_ready")
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.get(f"{url}/healthz")
        stop.set()
        await running
    assert answer.status_code == 200
    unregistered = ["webhook_not_registered"] * 4
    assert events(logs) == [*unregistered, "starter_ready", "starter_stopping"]


async def test_a_port_in_use_is_one_clear_line(front: Front) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ListenError, match=rf"^cannot listen on 127\.0\.0\.1:{port} \(Address already in use\): stop"
        ):
            async with listening(lambda _scope, _receive, _send: asyncio.sleep(0), "127.0.0.1", port):
                pass
