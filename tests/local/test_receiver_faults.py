from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
from starlette.types import ASGIApp

from operations.local.receiver import ReceiverConfig, create_app
from tests.local.spoken import (
    ADAPTER,
    CORRELATION,
    EVENT,
    Spoken,
    counts,
    each_dialect,
    received,
    refusal,
    send,
)

Serve = Callable[[ASGIApp], Awaitable[httpx.AsyncClient]]


@pytest.mark.parametrize(
    ("kind", "status"),
    [("rate_limited", 429), ("server_error", 500), ("unavailable", 503), ("bad_gateway", 502), ("not_found", 404)],
)
@each_dialect
async def test_an_error_fault_applies_nothing_and_counts_the_attempt(
    receiver: httpx.AsyncClient, spoken: Spoken, kind: str, status: int
) -> None:
    await receiver.post("/faults", json=[{"match": spoken.path, "kind": kind, "times": 2, "retry_after": 4}])
    answers = [await send(receiver, spoken, spoken.success, key="k") for _ in range(3)]
    report = await received(receiver)
    assert [answer.status_code for answer in answers] == [status, status, spoken.status]
    assert answers[0].headers.get("Retry-After") == ("4" if kind in {"rate_limited", "unavailable"} else None)
    assert counts(report) == (1, 0, 0, 0)
    assert report["outcomes"][0]["attempts"] == 3


@each_dialect
async def test_an_error_inside_200_and_a_refused_secret_take_the_dialects_shape(
    receiver: httpx.AsyncClient, spoken: Spoken
) -> None:
    inside = await send(receiver, spoken, spoken.success, **{"X-Fault": "error_in_200"})
    denied, _ = refusal(await send(receiver, spoken, spoken.success, **{"X-Fault": "unauthorized"}), spoken)
    content = inside.json()
    assert inside.status_code == 200
    if spoken is ADAPTER:
        assert content["error"]["data"]["name"] == "builtins.RuntimeError"
    else:
        assert content.get("result", content)["status"] == "error"
    assert denied == ("odoo.exceptions.AccessDenied" if spoken.jsonrpc else 401)
    assert counts(await received(receiver)) == (0, 0, 0, 0)


async def test_drop_applies_nothing_and_drop_after_work_applies(receiver: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await send(receiver, EVENT, EVENT.success, key="k", **{"X-Fault": "drop"})
    before = counts(await received(receiver))
    with pytest.raises(httpx.RemoteProtocolError):
        await send(receiver, EVENT, EVENT.success, key="k", **{"X-Fault": "drop_after_work"})
    after = counts(await received(receiver))
    again = await send(receiver, EVENT, EVENT.success, key="k")
    assert (before, after) == ((0, 0, 0, 0), (1, 0, 0, 0))
    assert again.status_code == 200
    assert counts(await received(receiver)) == (1, 1, 0, 0)


async def test_hang_never_answers(receiver: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.ReadTimeout):
        await receiver.post(EVENT.path, json=EVENT.success, headers={"X-Fault": "hang"}, timeout=0.3)
    assert counts(await received(receiver)) == (0, 0, 0, 0)


async def test_slow_answers_late_as_usual(receiver: httpx.AsyncClient) -> None:
    headers = {"X-Fault": "slow; seconds=0.5"}
    with pytest.raises(httpx.ReadTimeout):
        await receiver.post(EVENT.path, json=EVENT.success, headers=headers, timeout=0.1)
    answer = await send(receiver, CORRELATION, CORRELATION.success, **headers)
    assert answer.json() == CORRELATION.accepted()


async def test_image_faults_are_refused(receiver: httpx.AsyncClient) -> None:
    answer = await receiver.post("/faults", json=[{"kind": "truncated_image"}])
    one_shot = await send(receiver, EVENT, EVENT.success, **{"X-Fault": "quota"})
    assert answer.status_code == 400
    assert "truncated_image" in answer.json()["error"]
    assert one_shot.status_code == 400


async def test_down_closes_every_connection_until_it_is_over(serve: Serve) -> None:
    receiver = await serve(create_app(ReceiverConfig()))
    assert (await receiver.post("/down", json={"seconds": 2})).json() == {"down_for_s": 2.0}
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError):
            await receiver.get("/healthz")
    with pytest.raises(httpx.RemoteProtocolError):
        await send(receiver, EVENT, EVENT.success)
    await asyncio.sleep(2)
    assert counts(await received(receiver)) == (0, 0, 0, 0)
    assert (await send(receiver, EVENT, EVENT.success)).status_code == 200


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"seconds": -1}', b'{"seconds": "soon"}'])
async def test_down_refuses_what_is_no_time(receiver: httpx.AsyncClient, body: bytes) -> None:
    answer = await receiver.post("/down", content=body)
    assert answer.status_code == 400
    assert "seconds" in answer.json()["error"]
