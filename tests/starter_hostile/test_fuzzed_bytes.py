"""Any bytes in any pieces: every request that came in full has one answer, all else is refused, nothing gets stuck."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.starter_hostile.recorder import Recorder
from tests.starter_hostile.sockets import connected, request

CHUNKED = b"POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nA: b\r\n\r\n"
PROPER = (
    request("/posted", b'{"requestId": "r"}', ["Content-Type: application/json"]),
    request("/got", headers=["Connection: keep-alive"], method="GET"),
    request("/early", b"unread"),
    request("/expected", b"body", ["Expect: 100-continue"]),
    request("/closed", headers=["Connection: close"]),
    b"GET /old HTTP/1.0\r\n\r\n",
    CHUNKED,
)
TOKENS = (
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\x00",
        b" ",
        b"\t",
        b":",
        b",",
        b"\xff",
        b"\r\n\r\n",
        b"0\r\n\r\n",
        b"%00",
        b"%",
        b"HTTP/1.1",
    ),
    *(b"Content-Length: 4\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: b\r\n", b"Expect: 100-continue\r\n"),
    *(b"Upgrade: h2c\r\nConnection: upgrade\r\n", b"HTTP/1.1", b"GET /", b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"),
)
ANSWERS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
LAST = re.compile(rb"Connection: close|HTTP/1.0")
EXPECTED = {100, 200, 400, 413, 431}


@st.composite
def conversations(draw: st.DrawFn) -> list[bytes]:
    """A few requests with some damage, cut into pieces."""
    sent = b"".join(draw(st.lists(st.sampled_from(PROPER), min_size=1, max_size=4)))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(sent)))
        end = draw(st.integers(start, min(len(sent), start + 8)))
        sent = sent[:start] + draw(st.sampled_from(TOKENS) | st.binary(max_size=8)) + sent[end:]
    cuts = sorted(draw(st.lists(st.integers(0, len(sent)), max_size=3)))
    return [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]


@settings(max_examples=250, deadline=None)
@given(conversations())
async def test_damaged_requests_are_answered_or_refused(recorder: Recorder, pieces: list[bytes]) -> None:
    before = len(recorder.seen)
    async with connected(recorder.url) as connection:
        await connection.send(*pieces)
        connection.finish()
        heard = await connection.hear_all()
    statuses = [int(status) for status in ANSWERS.findall(heard)]
    taken = len(recorder.seen) - before
    assert set(statuses) <= EXPECTED
    # Who sends more after a last request may not hear the end.
    assert statuses.count(200) == taken or (statuses.count(200) < taken and LAST.search(b"".join(pieces)))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=4))
async def test_noise_is_refused(recorder: Recorder, pieces: list[bytes]) -> None:
    before: list[Any] = list(recorder.seen)
    async with connected(recorder.url) as connection:
        await connection.send(*pieces)
        connection.finish()
        heard = await connection.hear_all()
    assert heard in {b"", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"}
    assert recorder.seen == before
