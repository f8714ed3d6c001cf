"""Stands before aimock and notes what really crosses the wire: aimock's own journal keeps neither keys nor bodies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from operations.local.serving import listening
from tests.services.calls import picture

PICTURE = picture("PNG", 64, 48)
PICTURE_PATH = "/files/picture.png"
_HOP = frozenset({"connection", "content-length", "content-encoding", "transfer-encoding", "date", "keep-alive"})


@dataclass(frozen=True)
class Received:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    """Parsed JSON, or None."""

    @property
    def spoken(self) -> tuple[str, str, str, str, Any]:
        """What a service reads of it: method, path, credentials, media type, body."""
        media_type = self.headers.get("content-type", "") if self.body is not None else ""
        return self.method, self.path, self.headers.get("authorization", ""), media_type, self.body


@dataclass
class Relay:
    """Passes everything on to `target`, but delivers the picture itself: aimock serves no files."""

    target: str
    url: str = ""
    received: list[Received] = field(default_factory=list)

    def taken(self) -> list[Received]:
        """The requests since the last look."""
        taken, self.received = self.received, []
        return taken

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Relay]:
        """Serve."""
        everything = Route("/{path:path}", self._pass_on, methods=["GET", "POST", "PUT"])
        app = Starlette(routes=[Route(PICTURE_PATH, _picture), everything])
        async with httpx.AsyncClient(trust_env=False, timeout=30) as self._http, listening(app) as self.url:
            yield self

    async def _pass_on(self, request: Request) -> Response:
        content = await request.body()
        path = request.url.path
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        self.received.append(Received(request.method, path, headers, await request.json() if content else None))
        answer = await self._http.request(
            request.method, self.target + path, params=request.query_params, content=content, headers=headers
        )
        kept = {name: value for name, value in answer.headers.items() if name not in _HOP}
        return Response(answer.content, answer.status_code, kept)


async def _picture(request: Request) -> Response:
    return Response(PICTURE, media_type="image/png")
