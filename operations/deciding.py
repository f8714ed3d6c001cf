"""Taking one decision about a few requests by their ids: each by Update, or by Signal where no worker answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError

from contracts import names
from contracts.decisions import NOTHING_TO_DECIDE, Case, Decision, Redrive, objection
from contracts.model import Frozen
from runtime.settings import Settings
from starter.api import executions
from starter.api.executions import DecisionRefusedError, RequestError, RequestState, Way, find_request

AT_ONCE = 32
"""Decisions under way at once: without a worker each waits some seconds before it goes by Signal."""
QUERY_S = 2.0
"""Seconds a worker has to tell what a decision depends on."""
_LEFT_ALONE = "left alone, since the decision is not possible for another of them"

_T = TypeVar("_T")


class Decided(Frozen):
    """What became of one decision: it was taken in some way, or was void, or there is a problem."""

    request_id: str
    way: Way | None = None
    already: bool = False
    """Whether somebody else has decided meanwhile; nothing was changed then."""
    problem: str | None = None
    """One line."""


async def decide(
    client: Client, settings: Settings, request_ids: Sequence[str], route: str | None, decision: Decision
) -> list[Decided]:
    """Take the decision about every request, in their order; raises `TemporalUnreachableError`.

    One that changes requests is held against all of them first: is it impossible for one, nothing is decided.
    """
    slots = asyncio.Semaphore(AT_ONCE)

    async def each(work: Callable[[str], Awaitable[_T]]) -> list[_T]:
        async def one(request_id: str) -> _T:
            async with slots:
                return await work(request_id)

        return await asyncio.gather(*(one(request_id) for request_id in request_ids))

    if len(request_ids) > 1 and _is_checked_first(settings, decision):
        refusals = await each(lambda request_id: _refusal(client, settings, request_id, route, decision))
        if any(refusals):
            told = zip(request_ids, refusals, strict=True)
            return [Decided(request_id=request_id, problem=reason or _LEFT_ALONE) for request_id, reason in told]
    return await each(lambda request_id: _decide(client, settings, request_id, route, decision))


def _is_checked_first(settings: Settings, decision: Decision) -> bool:
    # A service that there is not is refused for each alike.
    return isinstance(decision, Redrive) and decision.pays_anew and decision.service in {None, *settings.services}


async def _refusal(
    client: Client, settings: Settings, request_id: str, route: str | None, decision: Decision
) -> str | None:
    """Why the decision is not possible; None too where nothing is to be decided, or no worker tells."""
    try:
        state = await find_request(client, settings, request_id, route)
        async with asyncio.timeout(QUERY_S):
            handle = client.get_workflow_handle(state.workflow_id, run_id=state.run_id)
            case: Case = await handle.query(names.CASE, result_type=Case)
    except (RequestError, TimeoutError, RPCError, WorkflowQueryFailedError):
        return None
    return objection(decision, case.parked, case.request, case.services) if case.parked else None


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
