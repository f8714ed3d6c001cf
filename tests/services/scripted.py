"""A self-written HTTP/1.1 server that plays answers from a script on a real socket, byte for byte, or breaks."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue


@dataclass(frozen=True)
class Script:
    """One answer. `then` says what happens in place of, or after, the answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    then: Literal["close", "drop", "hang", "cut", "endless"] = "close"
    """drop: no answer. hang: no answer, held open. cut: less body than promised. endless: body without end."""


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> JsonValue:
        value: JsonValue = json.loads(self.body)
        return value


class ScriptedServer:
    """Answers each request with the next script; the last one repeats."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.port = 0
        self._scripts: list[Script] = []
        self._released = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def play(self, *scripts: Script) -> None:
        self._scripts = list(scripts)

    def answer(self, content: JsonValue, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.play(Script(status, json.dumps(content).encode(), {"Content-Type": "application/json", **(headers or {})}))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[ScriptedServer]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self
            self._released.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            self.received.append(await _read(reader))
            await self._act(writer)
        writer.close()

    async def _act(self, writer: asyncio.StreamWriter) -> None:
        script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        if script.then == "hang":
            await self._released.wait()
        if script.then in {"hang", "drop"}:
            return
        writer.write(_head(script))
        writer.write(script.body)
        await writer.drain()
        while script.then == "endless" and not self._released.is_set():
            writer.write(b"10000\r\n" + b"\0" * 0x10000 + b"\r\n")
            await writer.drain()


def _head(script: Script) -> bytes:
    promised = len(script.body) + (10 if script.then == "cut" else 0)
    framing = {"Transfer-Encoding": "chunked"} if script.then == "endless" else {"Content-Length": str(promised)}
    headers = {**framing, "Connection": "close", **script.headers}
    lines = [f"HTTP/1.1 {script.status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip("\r\n").split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
    return Received(method, path, headers, await reader.readexactly(int(headers.get("content-length", 0))))
