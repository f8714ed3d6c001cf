"""HTTP/1.1 over a bare socket: nothing is added to what is sent, nothing is lost of what comes back."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from operations.conformance.cases import Answer, Case, Headers

DEADLINE_S = 60.0
"""Seconds that one exchange may take."""
_HEAD_LIMIT = 2**20
_BODILESS = frozenset({204, 304})
_INTERIM = range(100, 200)


class WireError(Exception):
    """No answer came. The message says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where to connect."""

    host: str
    port: int
    secure: bool

    @classmethod
    def at(cls, base_url: str) -> Server:
        """The server of a base URL; raises `WireError` where it is none."""
        try:
            url = urlsplit(base_url)
            port = url.port or (443 if url.scheme == "https" else 80)
        except ValueError:
            raise WireError(f"{base_url} is no URL") from None
        if url.scheme not in {"http", "https"} or not url.hostname or url.path.strip("/"):
            raise WireError(f"{base_url} must be scheme, host and port, as http://127.0.0.1:5678")
        return cls(url.hostname, port, url.scheme == "https")


async def exchange(server: Server, case: Case) -> Answer:
    """Send a case's request and read the answer; raises `WireError`."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await _exchange(server, case)
    except TimeoutError:
        raise WireError(f"no answer within {DEADLINE_S:g} s") from None
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, IndexError) as error:
        raise WireError(f"no readable answer ({type(error).__name__}: {error})") from None


async def _exchange(server: Server, case: Case) -> Answer:
    context = ssl.create_default_context() if server.secure else None
    reader, writer = await asyncio.open_connection(server.host, server.port, ssl=context, limit=_HEAD_LIMIT)
    try:
        writer.write(case.head(f"{server.host}:{server.port}"))
        interim = await _head(reader) if case.waits else None
        if interim and interim[0] not in _INTERIM:
            return await _answer(reader, case.method, interim, None)
        # A server may answer before it has read all, so reading must not wait for writing.
        sending = asyncio.ensure_future(_send(writer, case.body or b""))
        answer = await _answer(reader, case.method, await _head(reader), interim[0] if interim else None)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        return answer
    finally:
        writer.transport.abort()


async def _send(writer: asyncio.StreamWriter, body: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        writer.write(body)
        await writer.drain()


async def _head(reader: asyncio.StreamReader) -> tuple[int, Headers]:
    top = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = top.rstrip("\r\n").split("\r\n")
    pairs = (field.partition(":") for field in fields)
    return int(line.split(" ")[1]), [(name, value.strip()) for name, _, value in pairs]


async def _answer(reader: asyncio.StreamReader, method: str, head: tuple[int, Headers], interim: int | None) -> Answer:
    status, headers = head
    framing = _framing(method, status, {name.lower(): value for name, value in headers})
    return Answer(status, headers, framing, await _body(reader, framing, headers), interim)


def _framing(method: str, status: int, headers: dict[str, str]) -> str:
    if method == "HEAD" or status in _BODILESS:
        return "none"
    if "chunked" in headers.get("transfer-encoding", ""):
        return "chunked"
    return "content-length" if "content-length" in headers else "close"


async def _body(reader: asyncio.StreamReader, framing: str, headers: Headers) -> bytes:
    match framing:
        case "content-length":
            length = next(int(value) for name, value in headers if name.lower() == "content-length")
            return await reader.readexactly(length)
        case "chunked":
            return b"".join([chunk async for chunk in _chunks(reader)])
        case "close":
            return await reader.read()
        case _:
            return b""


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        yield await reader.readexactly(size)
        await reader.readuntil(b"\r\n")
    await reader.readuntil(b"\r\n")
