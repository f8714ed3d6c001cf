"""Live: the loop moves. Ready: Temporal answers, so that a request can be made durable, and we are not stopping."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from temporalio.client import Client
from temporalio.service import RPCError

from runtime.bootstrap import NamespaceNotReadyError, check_namespace
from runtime.temporal import TemporalUnreachableError
from starter.intake.temporal_calls import served_within
from starter.wire import n8n_answers
from starter.wire.conditional import unless_fresh

_FRESH_S = 1.0
_TIMEOUT_S = 1.0
_UNREACHABLE = "Temporal is not reachable"


class Health:
    """The health endpoints. Probes within a second share one look at Temporal."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = asyncio.Lock()
        self._problem: str | None = _UNREACHABLE
        self._prepared = False
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
        problem = await self._known_problem()
        if problem is None:
            return unless_fresh(n8n_answers.healthy(), request)
        return n8n_answers.json_answer(503, {"status": "error", "message": problem})

    async def _known_problem(self) -> str | None:
        now = asyncio.get_running_loop().time
        async with self._lock:
            if now() >= self._known_until:
                self._problem = await self._look()
                self._known_until = now() + _FRESH_S
            return self._problem

    async def _look(self) -> str | None:
        """Why no request could be made durable now; a namespace that was once prepared stays so."""
        try:
            async with served_within(_TIMEOUT_S):
                if not await self._client.service_client.check_health(timeout=timedelta(seconds=_TIMEOUT_S)):
                    return _UNREACHABLE
                if not self._prepared:
                    await check_namespace(self._client)
                    self._prepared = True
        except NamespaceNotReadyError as error:
            return str(error)
        except (TemporalUnreachableError, RPCError):
            return _UNREACHABLE
        return None
