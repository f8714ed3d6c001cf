"""Live: the loop moves. Ready: Temporal answers, so that a request can be made durable, and we are not stopping."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from temporalio.client import Client
from temporalio.service import RPCError

from runtime.temporal import TemporalUnreachableError
from starter.intake.temporal_calls import served_within
from starter.wire import n8n_answers
from starter.wire.conditional import unless_fresh

_FRESH_S = 1.0
_TIMEOUT_S = 1.0


class Health:
    """The health endpoints. Probes within a second share one look at Temporal."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = asyncio.Lock()
        self._ready = False
        self._known_until = 0.0
        self._draining = False

    def drain(self) -> None:
        """Be ready no more: whoever sends us requests shall send them elsewhere. Those that come are still taken."""
        self._draining = True

    async def live(self, request: Request) -> Response:
        """`GET /healthz`."""
        return unless_fresh(n8n_answers.healthy(), request)

    async def ready(self, request: Request) -> Response:
        """`GET /healthz/readiness`."""
        if self._draining:
            return n8n_answers.json_answer(503, {"status": "error", "message": "stopping"})
        if await self._is_ready():
            return unless_fresh(n8n_answers.healthy(), request)
        return n8n_answers.json_answer(503, {"status": "error", "message": "Temporal is not reachable"})

    async def _is_ready(self) -> bool:
        now = asyncio.get_running_loop().time
        async with self._lock:
            if now() >= self._known_until:
                self._ready = await _reachable(self._client)
                self._known_until = now() + _FRESH_S
            return self._ready


async def _reachable(client: Client) -> bool:
    try:
        async with served_within(_TIMEOUT_S):
            return await client.service_client.check_health(timeout=timedelta(seconds=_TIMEOUT_S))
    except (TemporalUnreachableError, RPCError):
        return False
