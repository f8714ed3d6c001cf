"""Taking one decision about several dead letters: each by Update, or by Signal where no worker answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from temporalio.client import Client

from contracts.decisions import Decision, Redrive
from contracts.model import Frozen
from runtime.settings import Settings
from starter.api import executions
from starter.api.executions import RequestError, Way, find_request

AT_ONCE = 32
"""Decisions under way at once: without a worker each waits some seconds before it goes by Signal."""


@dataclass(frozen=True, slots=True)
class Target:
    """One request that a decision is about."""

    request_id: str
    route: str | None = None
    parking: int = 0
    """The parking that the operator has seen; 0 = whichever is current."""


class Decided(Frozen):
    """What became of one decision: it was taken in some way, or there is a problem."""

    request_id: str
    way: Way | None = None
    problem: str | None = None
    """One line."""


async def decide(client: Client, settings: Settings, targets: Iterable[Target], decision: Decision) -> list[Decided]:
    """Take the decision about every target, in their order; raises `TemporalUnreachableError`."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(target: Target) -> Decided:
        async with slots:
            return await _decide(client, settings, target, decision)

    return await asyncio.gather(*(one(target) for target in targets))


async def _decide(client: Client, settings: Settings, target: Target, decision: Decision) -> Decided:
    try:
        state = await find_request(client, settings, target.request_id, target.route)
        own = decision.model_copy(update={"parking": target.parking})
        if isinstance(own, Redrive):
            way = await executions.redrive(client, settings, state, own)
        else:
            way = await executions.discard(client, state, own)
    except RequestError as error:
        return Decided(request_id=target.request_id, problem=str(error))
    return Decided(request_id=target.request_id, way=way)
