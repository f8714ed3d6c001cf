"""An application that notes what reaches it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

FLOOD_MIB = 64
"""MiB of the answer to `/flood`."""


@dataclass(slots=True)
class Recorder:
    """Reads the body and answers with its length.

    `/early` answers before the body, `/late` a moment after it, `/never` not at all, `/flood` with a lot.
    """

    url: str = ""
    seen: list[tuple[str, str, int]] = field(default_factory=list)
    """Method, path and body length of every request that came in full."""
    flooded: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a caller of `/flood` has everything or was given up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if request.url.path == "/early":
            await PlainTextResponse("early", 413)(scope, receive, send)
            return
        if request.url.path == "/flood":
            await _flood(send)
            self.flooded.set()
            return
        if request.url.path == "/never":
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        if request.url.path == "/late":
            await asyncio.sleep(0.05)
        self.seen.append((request.method, request.url.path, len(body)))
        await PlainTextResponse(str(len(body)))(scope, receive, send)


async def _flood(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(FLOOD_MIB):
        await send({"type": "http.response.body", "body": bytes(2**20), "more_body": True})
    await send({"type": "http.response.body", "body": b""})
