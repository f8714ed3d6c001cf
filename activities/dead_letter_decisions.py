"""One decision about one dead letter, safe to repeat, and what became of the request since."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError, RPCStatusCode

from contracts import names
from contracts import search_attributes as attributes
from contracts.dead_letters import DeadLetter
from contracts.decisions import NOTHING_TO_DECIDE, Case, Decision, Parked, Redrive
from contracts.requests import Outcome, Stage
from runtime.updates import execute_update

UPDATE_S = 10.0
"""Seconds a worker has to take a decision."""
QUERY_S = 20.0
"""Seconds a worker has to tell what a decision depends on."""

Taken = Literal["taken", "void", "refused", "unanswered"]
Became = Literal["open", "succeeded", "failed", "ended"]


@dataclass(frozen=True, slots=True)
class Answer:
    """How one decision went."""

    taken: Taken
    """void = already decided by somebody else."""
    said: str = ""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a request since a decision."""

    became: Became
    cause: str = ""
    """Of one that failed: the failure class, or how it ended."""
    said: str = ""


async def decide(client: Client, letter: DeadLetter, decision: Decision, update_id: str) -> Answer:
    """Take a decision that names the letter's parking; raises `RPCError`.

    Whoever repeats it under the same `update_id` gets the same answer: it is taken once. No Signal stands in for an
    Update without an answer, since nobody would be told whose decision was taken.
    """
    name = names.REDRIVE if isinstance(decision, Redrive) else names.DISCARD
    handle = _handle(client, letter)
    try:
        async with asyncio.timeout(UPDATE_S):
            await execute_update(handle, name, [decision], update_id=update_id)
    except WorkflowUpdateFailedError as error:
        return await _refused(handle, letter, str(getattr(error.cause, "message", error.cause)))
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
        return Answer("unanswered", "no worker took the decision in time: look at it again")
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return Answer("void")
        raise
    return Answer("taken")


async def case_of(client: Client, letter: DeadLetter) -> Case:
    """What a decision about the letter depends on; raises `TimeoutError` where no worker answers, `RPCError`."""
    async with asyncio.timeout(QUERY_S):
        case: Case = await _handle(client, letter).query(names.CASE, result_type=Case)
    return case


async def fate_of(client: Client, letter: DeadLetter) -> Fate:
    """What became of a request since a decision about the letter; raises `RPCError`."""
    try:
        found = await _handle(client, letter).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return Fate("ended", "forgotten")
        raise
    if found.status is not WorkflowExecutionStatus.RUNNING:
        return _closed(found)
    parked = await _parked(found)
    if parked is None or parked.parking <= letter.parking:
        return Fate("open")
    return Fate("failed", parked.failure.failure, parked.failure.message)


def _closed(found: WorkflowExecutionDescription) -> Fate:
    outcome = found.typed_search_attributes.get(attributes.OUTCOME)
    if outcome == Outcome.COMPLETED:
        return Fate("succeeded")
    if outcome in {Outcome.DISCARDED, Outcome.CANCELLED}:
        return Fate("ended", outcome)
    how = outcome or (found.status.name.lower() if found.status else "unknown")
    return Fate("failed", how, f"the request ended: {how}")


async def _parked(found: WorkflowExecutionDescription) -> Parked | None:
    if found.typed_search_attributes.get(attributes.STAGE) != Stage.PARKED:
        return None
    parked: Parked | None = await found.memo_value(names.MEMO_PARKED, None, type_hint=Parked)
    return parked


async def _refused(handle: WorkflowHandle[object, object], letter: DeadLetter, reason: str) -> Answer:
    if reason == NOTHING_TO_DECIDE:
        return Answer("void")
    found = await handle.describe()
    parked = await _parked(found) if found.status is WorkflowExecutionStatus.RUNNING else None
    still = parked is not None and letter.parking in {0, parked.parking}
    return Answer("refused", reason) if still else Answer("void")


def _handle(client: Client, letter: DeadLetter) -> WorkflowHandle[object, object]:
    return client.get_workflow_handle(letter.workflow_id, run_id=letter.run_id)
