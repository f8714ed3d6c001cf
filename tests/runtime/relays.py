"""Small servers that stand between a client and an S3 service, or in place of one."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Self
from urllib.parse import urlsplit


class HalfDeaf:
    """Passes requests on, but closes the connection in place of the next `drop_answers` answers.

    The header `without` is taken out of every request.
    """

    def __init__(self, target: str, without: str | None = None) -> None:
        self._without = without
        url = urlsplit(target)
        self._host, self._port = url.hostname, url.port
        self.drop_answers = 0
        self.dropped = 0
        self.methods: list[str] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self._exchange(reader, writer)
        writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, body = await request(reader)
        self.methods.append(head.partition(b" ")[0].decode())
        if self._without:
            head = re.sub(rf"{self._without}:.*\r\n".encode(), b"", head, flags=re.IGNORECASE)
        answers, onward = await asyncio.open_connection(self._host, self._port)
        onward.write(head.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nConnection: close\r\n", 1) + body)
        answer = await answers.read()
        onward.close()
        if self.drop_answers:
            self.drop_answers -= 1
            self.dropped += 1
            return
        writer.write(answer)
        await writer.drain()


class Refusing:
    """Gives every request the same answer."""

    def __init__(self, status: str, body: bytes) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self._answer = head.encode() + body
        self.heads: list[str] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head, _ = await request(reader)
            self.heads.append(head.decode())
            writer.write(self._answer)
            await writer.drain()
        writer.close()


async def request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of one request."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    length = next((int(line.partition(":")[2]) for line in lines if line.startswith("content-length:")), 0)
    return head, await reader.readexactly(length)
