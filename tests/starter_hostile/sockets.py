"""Raw HTTP/1.1 over a socket: send any bytes in any pieces, read what comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

PATIENCE_S = 30
"""Seconds after which a connection counts as stuck."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as it stood on the wire, chunks put together."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Connection:
    """A connection to a server under test."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *pieces: bytes, pause_s: float = 0.0) -> None:
        """Send the pieces one by one; a server that has gone away is no error."""
        with suppress(ConnectionError):
            for piece in pieces:
                self.writer.write(piece)
                await self.writer.drain()
                await asyncio.sleep(pause_s)

    def finish(self) -> None:
        """Say that nothing more will be sent."""
        with suppress(OSError):
            self.writer.write_eof()

    async def hear(self, method: str = "POST") -> Answer:
        """The next answer."""
        async with asyncio.timeout(PATIENCE_S):
            return await _answer(self.reader, method)

    async def hear_all(self) -> bytes:
        """Everything until the server ends the connection; a reset counts as an end."""
        heard = b""
        async with asyncio.timeout(PATIENCE_S):
            with suppress(ConnectionError):
                while piece := await self.reader.read(2**16):
                    heard += piece
        return heard

    def leave(self) -> None:
        """End the connection for both sides at once."""
        self.writer.transport.abort()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    """A connection to the server at that base URL."""
    parts = urlsplit(url)
    connection = Connection(*await asyncio.open_connection(parts.hostname, parts.port))
    try:
        yield connection
    finally:
        connection.leave()


async def told(url: str, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """Everything the server says to these pieces until it ends the connection."""
    async with connected(url) as connection:
        sending = asyncio.create_task(connection.send(*pieces, pause_s=pause_s))
        heard = await connection.hear_all()
        sending.cancel()
        await asyncio.wait([sending])
        return heard


async def asked(url: str, request: bytes, method: str = "POST") -> Answer:
    """The answer to one request."""
    async with connected(url) as connection:
        await connection.send(request)
        return await connection.hear(method)


def request(target: str, body: bytes = b"", headers: Iterable[str] = (), method: str = "POST") -> bytes:
    """A proper request with a Content-Length, and further header lines."""
    lines = [f"{method} {target} HTTP/1.1", "Host: starter.example", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


async def _answer(reader: asyncio.StreamReader, method: str) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *fields = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    status = int(first.split(" ")[1])
    silent = method == "HEAD" or status in {100, 204, 304}
    return Answer(status, headers, b"" if silent else await _body(reader, headers))


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") == "chunked":
        return b"".join([chunk async for chunk in _chunks(reader)])
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    return await reader.read()


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int(await reader.readline(), 16):
        yield await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
