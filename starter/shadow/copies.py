"""Copies of accepted requests to the old system, beside our own work: they never delay or fail an answer of ours."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx
import structlog
from starlette.requests import Request
from starlette.responses import Response

from contracts.identity import sha256_hex
from runtime.redaction import redact_text
from runtime.settings import Settings
from starter.intake.reading import Taken
from starter.metrics import StarterMetrics
from starter.shadow.journal import Answered, CopyRecord, DroppedRecord, Record, ShadowJournal
from starter.wire.bodies import UNPACKED
from starter.wire.refusals import Result
from starter.wire.routing import Webhook

_log = structlog.get_logger(__name__)

QUEUED = 1000
"""Copies that may wait; further ones are dropped and counted."""
QUEUED_BYTES = 64 * 2**20
"""Bytes of bodies that may wait."""
SENDERS = 8
"""Copies that are sent at once."""
TIMEOUT_S = 120.0
"""Seconds for one copy: an old system that answers when it is done takes as long as its image service."""
CONNECT_S = 5.0
HEAD = 2048
"""Bytes of an answer that are kept."""
_ANSWER_LIMIT = 64 * 2**20
_DRAIN_S = 5.0
"""Seconds that waiting copies get when the starter stops."""

Headers = Iterable[tuple[bytes, bytes]]

_NOT_COPIED = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)


@dataclass(frozen=True, slots=True)
class Copy:
    """One accepted request as it was received, and what we answered."""

    route: str
    url: str
    method: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    request_id: str
    workflow_id: str
    ours: Answered


class Shadow:
    """The queue of copies and those who send them. `running` must surround its use."""

    def __init__(
        self, settings: Settings, journal: ShadowJournal, metrics: StarterMetrics, queued: int = QUEUED
    ) -> None:
        self._is_on = any(route.shadow for route in settings.routes.values())
        self._journal = journal
        self._metrics = metrics
        self._queue: asyncio.Queue[Copy] = asyncio.Queue(queued)
        self._bytes = 0
        self._dropped: Counter[str] = Counter()

    def offer(self, copy: Copy) -> None:
        """Queue a copy, or drop it where too much waits already. Never blocks."""
        if self._queue.full() or self._bytes + len(copy.body) > QUEUED_BYTES:
            self._dropped[copy.route] += 1
            self._metrics.count_dropped_copy(copy.route)
            return
        self._bytes += len(copy.body)
        self._queue.put_nowait(copy)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send what is offered; at the end what waits gets a moment and is then dropped."""
        if not self._is_on:
            yield
            return
        async with _client() as http:
            senders = [asyncio.create_task(self._send_all(http)) for _ in range(SENDERS)]
            try:
                yield
                await self._drained()
            finally:
                for sender in senders:
                    sender.cancel()
                await asyncio.gather(*senders, return_exceptions=True)

    async def _drained(self) -> None:
        try:
            async with asyncio.timeout(_DRAIN_S):
                await self._queue.join()
        except TimeoutError:
            _log.warning("shadow_copies_abandoned", count=self._queue.qsize())

    async def _send_all(self, http: httpx.AsyncClient) -> None:
        while True:
            copy = await self._queue.get()
            try:
                await self._note(await _sent(http, copy))
                await self._note_dropped()
            finally:
                self._bytes -= len(copy.body)
                self._queue.task_done()

    async def _note_dropped(self) -> None:
        for route, count in tuple(self._dropped.items()):
            self._dropped[route] -= count
            if count:
                await self._note(DroppedRecord(at=time.time(), route=route, count=count))

    async def _note(self, record: Record) -> None:
        try:
            await asyncio.to_thread(self._journal.append, record)
        except OSError as error:
            _log.error("shadow_journal_not_written", reason=error.strerror)


def copy_of(webhook: Webhook, request: Request, body: bytes, taken: Taken, ours: Answered) -> Copy | None:
    """The copy of a request, where its route has a shadow and the request is new.

    A repeated post starts nothing here, but would start another run in the old system.
    """
    if webhook.settings.shadow is None or taken.result is not Result.ACCEPTED:
        return None
    query = request.scope["query_string"].decode("latin-1")
    return Copy(
        route=webhook.name,
        url=f"{webhook.settings.shadow}?{query}" if query else webhook.settings.shadow,
        method=request.method,
        headers=tuple(end_to_end(request.headers.raw)),
        body=body,
        request_id=taken.request_id,
        workflow_id=taken.workflow_id,
        ours=ours,
    )


def end_to_end(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers that mean the next server too: not those of this connection, nor of a packing that was undone."""
    listed = list(headers)
    named = {
        option.strip().lower()
        for name, value in listed
        if name.lower() == b"connection"
        for option in value.split(b",")
    }
    return [
        (name, value)
        for name, value in listed
        if name.lower() not in _NOT_COPIED | named and not _was_undone(name, value)
    ]


def _was_undone(name: bytes, value: bytes) -> bool:
    return name.lower() == b"content-encoding" and value.decode("latin-1").strip().lower() in UNPACKED


def answered(answer: Response, seconds: float) -> Answered:
    """Our own answer, as it is recorded."""
    body = bytes(answer.body)
    return _answered(answer.status_code, sha256_hex(body), len(body), body[:HEAD], seconds)


def _answered(status: int, digest: str, size: int, head: bytes, seconds: float) -> Answered:
    shown = redact_text(head.decode("utf-8", "replace"))
    return Answered(status=status, sha256=digest, size=size, head=shown, ms=round(seconds * 1000, 1))


def _client() -> httpx.AsyncClient:
    """Adds nothing of its own: no redirects, cookies, proxies or settings from the environment."""
    return httpx.AsyncClient(
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        trust_env=False,
        timeout=httpx.Timeout(None, connect=CONNECT_S),
    )


async def _sent(http: httpx.AsyncClient, copy: Copy) -> CopyRecord:
    theirs, problem = None, None
    try:
        async with asyncio.timeout(TIMEOUT_S):
            theirs = await _exchange(http, copy)
    except TimeoutError:
        problem = f"no whole answer within {TIMEOUT_S:g} s"
    except Exception as error:  # noqa: BLE001 - one odd copy must not end those who send all others
        problem = redact_text(f"{type(error).__name__}: {error}")
    return CopyRecord(
        at=time.time(),
        route=copy.route,
        request_id=copy.request_id,
        workflow_id=copy.workflow_id,
        ours=copy.ours,
        theirs=theirs,
        problem=problem,
    )


async def _exchange(http: httpx.AsyncClient, copy: Copy) -> Answered:
    began = time.perf_counter()
    request = httpx.Request(copy.method, copy.url, headers=list(copy.headers), content=copy.body)
    response = await http.send(request, stream=True)
    digest, size, head = hashlib.sha256(), 0, b""
    try:
        async for chunk in response.aiter_bytes():
            digest.update(chunk)
            size += len(chunk)
            head += chunk[: HEAD - len(head)]
            if size > _ANSWER_LIMIT:
                break
    finally:
        await response.aclose()
    return _answered(response.status_code, digest.hexdigest(), size, head, time.perf_counter() - began)
