"""A self-written double of the n8n that is replaced, on a real socket, and what it tells us."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx
from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from starter.shadow.journal import Answered, CopyRecord, Record, ShadowJournal
from tests.starter.at_work import IMAGE
from tests.starter.front import Front

SECRET = "made-up-callback-secret"
TOLD = {"X-N8N-Signature": SECRET}
ACCEPTED = {"status": "received", "message": "AI image generation request queued."}


@dataclass(slots=True)
class OldSystem:
    """A self-written stand-in for the n8n that is replaced: notes what it gets and answers as it is told."""

    got: list[tuple[Request, bytes]] = field(default_factory=list)
    answer: Callable[[bytes], Awaitable[Response]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body = await request.body()
        self.got.append((request, body))
        answer = await self.answer(body) if self.answer else alike(body)
        await answer(scope, receive, send)

    def bodies(self) -> list[bytes]:
        return [body for _, body in self.got]


def alike(body: bytes) -> Response:
    """What the dialect `event` acknowledges with, in another order of keys."""
    return JSONResponse({"correlationId": json.loads(body).get("correlationId"), **ACCEPTED})


@dataclass(frozen=True, slots=True)
class Site:
    front: Front
    old: OldSystem
    journal: ShadowJournal

    async def records(self, count: int) -> list[Record]:
        """The journal once it has that many records."""
        async with asyncio.timeout(20):
            while len(found := list(self.journal.records())) < count:
                await asyncio.sleep(0.02)
        return found

    async def copies(self, count: int) -> list[CopyRecord]:
        return [record for record in await self.records(count) if isinstance(record, CopyRecord)]


def answered(status: int = 200, body: str = "{}") -> Answered:
    return Answered(status=status, sha256=body, size=len(body), head=body, ms=1.0)


def callback(request_id: str, image: bytes = IMAGE) -> dict[str, JsonValue]:
    data = base64.b64encode(image).decode()
    return {"requestId": request_id, "correlationId": "c-1", "status": "completed", "imageData": data}


def failed(request_id: str, code: str) -> dict[str, JsonValue]:
    return {"requestId": request_id, "correlationId": "c-1", "status": "failed", "errorCode": code}


async def told(front: Front, route: str, body: JsonValue, headers: dict[str, str] = TOLD) -> httpx.Response:
    return await front.http.post(f"/shadow/{route}/callback", content=json.dumps(body), headers=headers)
