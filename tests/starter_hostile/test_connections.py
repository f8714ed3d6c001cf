"""Slow, silent, impatient and too many callers: none holds a connection for ever, and proper ones are served."""

from __future__ import annotations

import asyncio
import itertools
import socket
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import pytest
from starlette.routing import Router

from runtime.settings import StarterSettings
from starter.wire.connections import ConnectionLimits, GuardedProtocol
from starter.wire.server import connection_limits, listening
from tests.starter_hostile.recorder import Recorder
from tests.starter_hostile.sockets import asked, connected, request, told

TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"
FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "start",
    [b"POST /slow HTTP/1.1\r\nHost: a\r\n", b"", request("/slow", bytes(500))[:-500]],
    ids=["headers", "request line", "body"],
)
async def test_a_trickling_caller_is_timed_out(hasty: Recorder, start: bytes) -> None:
    trickle = itertools.repeat(b"X", 10_000)
    assert await told(hasty.url, start, *trickle, pause_s=0.01) == TIMED_OUT
    assert "/slow" not in {path for _, path, _ in hasty.seen}


async def test_a_silent_caller_is_left(hasty: Recorder) -> None:
    assert await told(hasty.url) == b""


async def test_a_caller_that_stops_within_its_second_request_is_timed_out(hasty: Recorder) -> None:
    async with connected(hasty.url) as connection:
        await connection.send(request("/early"))
        assert (await connection.hear()).status == 413
        await connection.send(b"POST /again HT")
        assert await connection.hear_all() == TIMED_OUT


async def test_a_body_that_stops_after_an_early_answer_ends_the_connection(hasty: Recorder) -> None:
    async with connected(hasty.url) as connection:
        await connection.send(request("/early", bytes(500))[:-1])
        assert (await connection.hear()).status == 413
        assert await connection.hear_all() == b""


async def test_a_caller_that_does_not_take_its_answer_is_given_up(hasty: Recorder) -> None:
    async with connected(hasty.url) as connection:
        await connection.send(request("/flood"))
        async with asyncio.timeout(30):
            await hasty.flooded.wait()


async def test_too_many_connections_are_told_to_come_again(hasty: Recorder) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(8):
            holder = await stack.enter_async_context(connected(hasty.url))
            await holder.send(request("/flood"))
            await holder.reader.readexactly(1)
        assert await told(hasty.url, request("/one-more")) == FULL
        await stack.aclose()
    async with asyncio.timeout(30):
        while not (await told(hasty.url, request("/after", headers=["Connection: close"]))).startswith(b"HTTP/1.1 200"):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("header", ["Connection: close", "Connection: keep-alive"])
async def test_a_sender_of_far_too_much_can_send_it_all_and_then_read_its_answer(
    recorder: Recorder, header: str
) -> None:
    head = f"POST /early HTTP/1.1\r\nHost: a\r\n{header}\r\nContent-Length: {100 * 2**20}\r\n\r\n"
    answer = await asyncio.to_thread(sent_before_reading, recorder.url, head.encode(), bytes(2**20), 100)
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_sender_of_an_endless_head_can_send_on_and_then_read_why_it_was_refused(recorder: Recorder) -> None:
    start, piece = b"POST /endless HTTP/1.1\r\n", b"X-Header: value\r\n" * 2**15
    answer = await asyncio.to_thread(sent_before_reading, recorder.url, start, piece, 40)
    assert answer.startswith(b"HTTP/1.1 431 ")


def sent_before_reading(url: str, head: bytes, piece: bytes, times: int) -> bytes:
    """What a simple client reads after it has sent everything; raises `ConnectionError` where it cannot."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30) as connection:
        connection.sendall(head)
        for _ in range(times):
            connection.sendall(piece)
        return connection.recv(2**16)


async def test_a_connection_goes_on_after_an_early_answer(recorder: Recorder) -> None:
    async with connected(recorder.url) as connection:
        whole = request("/early", bytes(2**20))
        await connection.send(whole[:1000])
        assert (await connection.hear()).body == b"early"
        await connection.send(whole[1000:], request("/next", b"four"))
        assert (await connection.hear()).body == b"4"


async def test_pipelined_requests_are_answered_in_their_order(recorder: Recorder) -> None:
    async with connected(recorder.url) as connection:
        await connection.send(b"".join(request("/pipelined", bytes(size)) for size in range(200)))
        assert [int((await connection.hear()).body) for _ in range(200)] == list(range(200))


async def test_a_bad_request_behind_a_good_one_takes_nothing_from_it(recorder: Recorder) -> None:
    heard = await told(recorder.url, request("/good", b"four") + b"nonsense\r\n\r\n")
    assert heard.startswith(b"HTTP/1.1 200 OK\r\n")
    assert heard.count(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n") == 1


@pytest.mark.parametrize("number", [1, 3])
async def test_a_caller_that_only_listens_any_more_is_answered(recorder: Recorder, number: int) -> None:
    async with connected(recorder.url) as connection:
        await connection.send(request("/late", b"body") * number)
        connection.finish()
        heard = await connection.hear_all()
    assert heard.count(b"HTTP/1.1 200 OK") == number


async def test_a_caller_that_has_ended_its_side_does_not_stay_for_ever(hasty: Recorder) -> None:
    async with connected(hasty.url) as connection:
        await connection.send(request("/never", b"body"))
        connection.finish()
        assert await connection.hear_all() == b""


async def test_a_caller_may_ask_whether_to_send_its_body(recorder: Recorder) -> None:
    whole = request("/expected", b"body", ["Expect: 100-continue"])
    async with connected(recorder.url) as connection:
        await connection.send(whole[:-4])
        assert (await connection.hear()).status == 100
        await connection.send(b"body")
        assert (await connection.hear()).body == b"4"


@pytest.mark.parametrize(
    "upgrade", [("Connection: Upgrade", "Upgrade: websocket"), ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c")]
)
async def test_an_offer_to_speak_something_else_is_not_taken_up(recorder: Recorder, upgrade: tuple[str, str]) -> None:
    assert (await asked(recorder.url, request("/upgrade", b"body", upgrade))).body == b"4"


async def test_the_server_ends_whatever_its_callers_do_and_tells_those_who_still_send() -> None:
    unfinished = (b"", b"POST /", request("/early", bytes(9))[:-1], b"nonsense\r\n\r\n", request("/x", b"body")[:-1])
    async with AsyncExitStack() as callers:
        async with AsyncExitStack() as server:
            url = await server.enter_async_context(listening(Router(default=Recorder()), "127.0.0.1", 0))
            connections = [await callers.enter_async_context(connected(url)) for _ in unfinished]
            for connection, sent in zip(connections, unfinished, strict=True):
                await connection.send(sent)
            assert (await asked(url, request("/last"))).status == 200
        assert await connections[-1].hear_all() == FULL


def test_the_settings_say_what_a_connection_may() -> None:
    starter = StarterSettings(header_deadline_s=1, body_deadline_s=2, connection_limit=3, retry_after_s=4)
    assert connection_limits(starter) == ConnectionLimits(1, 2, 3, 4)
    assert connection_limits(StarterSettings()) == ConnectionLimits()


class Noting(GuardedProtocol):
    """Notes an option of its socket."""

    without_delay: bool | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        Noting.without_delay = bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


async def test_no_answer_waits_for_the_acknowledgement_of_its_head() -> None:
    async with listening(Router(default=Recorder()), "127.0.0.1", 0, ConnectionLimits(), Noting) as url:
        await asked(url, request("/any"))
    assert Noting.without_delay
