"""What is no proper request gets n8n's bare answer, reaches no application, and ends the connection."""

from __future__ import annotations

import pytest

from starter.wire.strict_http import HEAD_LIMIT
from tests.starter_hostile.recorder import Recorder
from tests.starter_hostile.sockets import asked, connected, request, told

BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n"


def head(*lines: str, first: str = "POST /refused HTTP/1.1", host: tuple[str, ...] = ("Host: a",)) -> bytes:
    return "\r\n".join([first, *host, *lines, "", ""]).encode("latin-1")


def chunked(body: bytes) -> bytes:
    return head("Transfer-Encoding: chunked") + body


SMUGGLED = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
MALFORMED = {
    "no host": head(host=()),
    "two hosts": head("Host: b"),
    "two lengths": head("Content-Length: 41", "Content-Length: 6") + SMUGGLED,
    "two equal lengths": head("Content-Length: 41", "Content-Length: 41") + SMUGGLED,
    "lengths in one header": head("Content-Length: 41, 41") + SMUGGLED,
    "length and encoding": head("Content-Length: 6", "Transfer-Encoding: chunked") + SMUGGLED,
    "encoding and length": head("Transfer-Encoding: chunked", "Content-Length: 6") + SMUGGLED,
    "encoding twice": head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + SMUGGLED,
    "two encodings": head("Transfer-Encoding: gzip, chunked") + SMUGGLED,
    "unknown encoding": head("Transfer-Encoding: xchunked") + SMUGGLED,
    "vertical tab before the encoding": head("Transfer-Encoding: \x0bchunked") + SMUGGLED,
    "blank after the encoding's name": head("Transfer-Encoding : chunked") + SMUGGLED,
    "encoding in HTTP/1.0": head("Transfer-Encoding: chunked", first="POST /refused HTTP/1.0") + SMUGGLED,
    "folded encoding": head("Transfer-Encoding:\r\n chunked", "Content-Length: 6") + SMUGGLED,
    "folded header": head("X-A: b\r\n\tc"),
    "bare line feeds": head("X-A: b").replace(b"\r\n", b"\n"),
    "one bare line feed": head("X-A: b\nContent-Length: 6") + SMUGGLED,
    "bare carriage return": head("X-A: b\rContent-Length: 6"),
    "signed length": head("Content-Length: +6"),
    "negative length": head("Content-Length: -6"),
    "hexadecimal length": head("Content-Length: 0x6"),
    "immense length": head(f"Content-Length: {'9' * 40}"),
    "NUL in a header": head("X-A: \x00"),
    "NUL in a header's name": head("X\x00A: b"),
    "blank in a header's name": head("X A: b"),
    "no colon": head("X-A"),
    "NUL in the target": head(first="POST /refused\x00 HTTP/1.1"),
    "bytes above ASCII in the target": head(first="POST /refused\xff\xfe HTTP/1.1"),
    "blank in the target": head(first="POST /refused x HTTP/1.1"),
    "HTTP/0.9": b"GET /refused\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "HTTP/3.7": head(first="GET /refused HTTP/3.7"),
    "a proxy's request": head(first="CONNECT odoo.example:443 HTTP/1.1"),
    "TLS hello": bytes.fromhex("16030100c6010000c20303") + bytes(200),
    "an odd greeting": b"EHLO example\r\n\r\n",
    "blanks first": b"   GET /refused HTTP/1.1\r\nHost: a\r\n\r\n",
    "no number of bytes": chunked(b"zz\r\nabc\r\n0\r\n\r\n"),
    "negative number of bytes": chunked(b"-3\r\nabc\r\n0\r\n\r\n"),
    "immense number of bytes": chunked(b"f" * 40 + b"\r\nabc"),
    "chunk longer than it says": chunked(b"2\r\nabc\r\n0\r\n\r\n"),
    "chunk without an end": chunked(b"3\r\nabc0\r\n\r\n"),
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
async def test_what_can_be_read_in_two_ways_is_refused(recorder: Recorder, sent: bytes) -> None:
    before = list(recorder.seen)
    assert await told(recorder.url, sent) == BAD_REQUEST
    assert recorder.seen == before


LARGE_HEADS = {
    "a header of 20 KiB": head(f"X-Big: {'x' * 20 * 2**10}"),
    "a target of 20 KiB": head(first=f"POST /refused?{'y' * 20 * 2**10} HTTP/1.1"),
    "10,000 headers": head(*(f"X-{number}: {number}" for number in range(10_000))),
    "a head that never ends": b"POST /refused HTTP/1.1\r\n" + b"X-A: b\r\n" * 10_000,
}


@pytest.mark.parametrize("size", [256 * 2**10, 999], ids=["at once", "in pieces"])
@pytest.mark.parametrize("sent", LARGE_HEADS.values(), ids=LARGE_HEADS)
async def test_a_head_over_16_kib_is_refused_however_it_arrives(recorder: Recorder, sent: bytes, size: int) -> None:
    pieces = [sent[start : start + size] for start in range(0, len(sent), size)]
    assert await told(recorder.url, *pieces) == TOO_LARGE


async def test_the_limit_is_exact(recorder: Recorder) -> None:
    bare = len(request("/limit", headers=["X-Fill: "]))
    fitting, larger = (request("/limit", headers=[f"X-Fill: {'x' * (HEAD_LIMIT - bare + more)}"]) for more in (0, 1))
    assert (await asked(recorder.url, fitting)).status == 200
    assert await told(recorder.url, larger) == TOO_LARGE


@pytest.mark.parametrize("sent", [b"POST /cut HTT", request("/cut", b"body")[:-1], chunked(b"5\r\nab")])
async def test_a_request_that_breaks_off_is_refused(recorder: Recorder, sent: bytes) -> None:
    async with connected(recorder.url) as connection:
        await connection.send(sent)
        connection.finish()
        assert await connection.hear_all() == BAD_REQUEST
    assert "/cut" not in {path for _, path, _ in recorder.seen}


async def test_a_malformed_rest_after_an_early_answer_gets_no_second_answer(recorder: Recorder) -> None:
    async with connected(recorder.url) as connection:
        await connection.send(head("Transfer-Encoding: chunked", first="POST /early HTTP/1.1"))
        assert (await connection.hear()).body == b"early"
        await connection.send(b"zz\r\n")
        assert await connection.hear_all() == b""


async def test_a_refused_request_has_no_other_answer_though_the_application_is_quick(recorder: Recorder) -> None:
    sent = head("Transfer-Encoding: chunked", first="POST /early HTTP/1.1") + b"zz\r\n"
    assert await told(recorder.url, sent) == BAD_REQUEST
