"""Taking one decision about a few requests by their ids: each by Update, or by Signal where no worker answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from temporalio.client import Client

from contracts.decisions import NOTHING_TO_DECIDE, Decision, Redrive
from contracts.model import Frozen
from runtime.settings import Settings
from starter.api import executions
from starter.api.executions import DecisionRefusedError, RequestError, RequestState, Way, find_request

AT_ONCE = 32
"""Decisions under way at once: without a worker each waits some seconds before it goes by Signal."""


class Decided(Frozen):
    """What became of one decision: it was taken in some way, or was void, or there is a problem."""

    request_id: str
    way: Way | None = None
    already: bool = False
    """Whether somebody else has decided meanwhile; nothing was changed then."""
    problem: str | None = None
    """One line."""


async def decide(
    client: Client, settings: Settings, request_ids: Iterable[str], route: str | None, decision: Decision
) -> list[Decided]:
    """Take the decision about every request, in their order; raises `TemporalUnreachableError`."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(request_id: str) -> Decided:
        async with slots:
            return await _decide(client, settings, request_id, route, decision)

    return await asyncio.gather(*(one(request_id) for request_id in request_ids))


async def _decide(
    client: Client, settings: Settings, request_id: str, route: str | None, decision: Decision
) -> Decided:
    try:
        state = await find_request(client, settings, request_id, route)
        way = await _take(client, settings, state, decision)
    except RequestError as error:
        return Decided(request_id=request_id, problem=str(error))
    return Decided(request_id=request_id, way=way, already=way is None)


async def _take(client: Client, settings: Settings, state: RequestState, decision: Decision) -> Way | None:
    """How it was taken; None where somebody else has decided since `state` was read."""
    try:
        if isinstance(decision, Redrive):
            return await executions.redrive(client, settings, state, decision)
        return await executions.discard(client, state, decision)
    except DecisionRefusedError as error:
        if state.parked is not None and (str(error) == NOTHING_TO_DECIDE or await _moved(client, settings, state)):
            return None
        raise


async def _moved(client: Client, settings: Settings, state: RequestState) -> bool:
    now = await find_request(client, settings, state.request_id, state.route)
    return now.parked is None or now.run_id != state.run_id or now.parked != state.parked
