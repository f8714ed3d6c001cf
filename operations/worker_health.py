"""The worker's health endpoints: ready while Temporal sees it poll, and no more once it has been told to stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from temporalio.client import Client

from starter.health import Health
from starter.wire import n8n_answers
from starter.wire.server import listening

_log = structlog.get_logger(__name__)


class WorkerHealth:
    """`/healthz` and `/healthz/readiness` of a worker that stops when `stop` is set."""

    def __init__(self, client: Client, stop: asyncio.Event) -> None:
        self._health = Health(client)
        self._stop = stop
        self.polls = asyncio.Event()
        """To be set once Temporal sees the worker poll."""

    @contextlib.asynccontextmanager
    async def serving(self, bind: str | None) -> AsyncIterator[None]:
        """Serve the endpoints at host:port, where there is one; raises `starter.wire.server.ListenError`."""
        if bind is None:
            yield
            return
        host, _, port = bind.rpartition(":")
        routes = [Route("/healthz", self._health.live), Route("/healthz/readiness", self._ready)]
        async with listening(Starlette(routes=routes), host.strip("[]"), int(port)) as url:
            _log.info("worker_health_ready", url=url)
            yield

    async def _ready(self, request: Request) -> Response:
        if self._stop.is_set():
            self._health.drain()
        elif not self.polls.is_set():
            return n8n_answers.json_answer(503, {"status": "error", "message": "not polling yet"})
        return await self._health.ready(request)
