"""The client reads answers as they stand on the wire, however they are framed, and never waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from operations.conformance.cases import Answer, Case
from operations.conformance.wire import Server, WireError, exchange

NOTHING = Answer(0, [], "none", b"")
OK = b"HTTP/1.1 200 OK\r\n"


def case(method: str = "POST", body: bytes | None = b"{}", **headers: str) -> Case:
    return Case("made-up", method, "/x?y", list(headers.items()), body, NOTHING)


@asynccontextmanager
async def answering(answer: bytes, heard: Callable[[bytes], None] = lambda _: None) -> AsyncIterator[Server]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield Server("127.0.0.1", server.sockets[0].getsockname()[1], secure=False)


@pytest.mark.parametrize(
    ("method", "answer", "framing", "body"),
    [
        ("POST", OK + b"Content-Length: 2\r\n\r\nhi", "content-length", b"hi"),
        ("POST", OK + b"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nhi\r\n1\r\n!\r\n0\r\n\r\n", "chunked", b"hi!"),
        ("POST", OK + b"Connection: close\r\n\r\nhi", "close", b"hi"),
        ("HEAD", OK + b"Content-Length: 2\r\n\r\n", "none", b""),
        ("POST", b"HTTP/1.1 204 No Content\r\n\r\n", "none", b""),
    ],
)
async def test_every_framing_is_read(method: str, answer: bytes, framing: str, body: bytes) -> None:
    async with answering(answer) as server:
        given = await exchange(server, case(method))
    assert (given.framing, given.body) == (framing, body)


async def test_nothing_is_added_to_what_is_sent() -> None:
    heard: list[bytes] = []
    async with answering(OK + b"Content-Length: 0\r\n\r\n", heard.append) as server:
        await exchange(server, Case("x", "PUT", "/a//b", [("X-A", "1"), ("x-a", "2")], b"abc", NOTHING))
        await exchange(server, Case("x", "GET", "/", [], None, NOTHING))
    host = f"Host: 127.0.0.1:{server.port}".encode()
    assert heard[0] == b"PUT /a//b HTTP/1.1\r\n" + host + b"\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 3\r\n\r\n"
    assert heard[1] == b"GET / HTTP/1.1\r\n" + host + b"\r\n\r\n"


async def test_a_refusal_in_place_of_continue_is_the_answer() -> None:
    async with answering(b"HTTP/1.1 417 No\r\nContent-Length: 1\r\n\r\nn") as server:
        given = await exchange(server, case(Expect="100-continue"))
    assert (given.status, given.interim, given.body) == (417, None, b"n")


async def test_headers_may_come_several_times() -> None:
    async with answering(OK + b"Vary: A\r\nvary: B\r\nContent-Length: 0\r\n\r\n") as server:
        given = await exchange(server, case())
    assert given.header("VARY") == "A, B"
    assert given.header("ETag") is None


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1\r\n\r\n", b"nonsense\r\n\r\n", OK + b"Content-Length: 9\r\n\r\nhi"])
async def test_what_is_no_answer_is_told(answer: bytes) -> None:
    async with answering(answer) as server:
        with pytest.raises(WireError, match="no readable answer"):
            await exchange(server, case())


@pytest.mark.parametrize("url", ["127.0.0.1:5678", "ftp://x", "http://", "http://x:y", "http://x/webhook"])
def test_a_base_url_is_scheme_host_and_port(url: str) -> None:
    with pytest.raises(WireError):
        Server.at(url)


def test_ports_have_defaults() -> None:
    assert Server.at("https://n8n.example/") == Server("n8n.example", 443, secure=True)
    assert Server.at("http://[::1]") == Server("::1", 80, secure=False)
