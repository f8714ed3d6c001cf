"""All that is known of one dead letter: what was asked, tried, answered and paid. Works without a worker too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure as FailureMessage
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle, WorkflowQueryFailedError
from temporalio.service import RPCError

from activities.dead_letter_decisions import case_of
from contracts.dead_letters import DeadLetter
from contracts.decisions import Status
from contracts.errors import Failure
from contracts.model import Frozen
from contracts.names import MEMO_PARKED, STATUS
from contracts.requests import ImageGenerationInput, ImageRequest
from contracts.spend import SpendCall
from operations.spend import read_spend
from runtime.blobs import BlobStore

AT_ONCE = 16
"""Requests that are asked at once."""
QUERY_S = 2.0
"""Seconds a worker has to answer."""
_CHAIN_LIMIT = 8


class StepTried(Frozen):
    """One activity of a request, and how often it was tried."""

    activity: str
    queue: str
    attempts: int
    ended: str
    """completed, failed, timed out, cancelled, or under way."""
    failures: tuple[str, ...] = ()
    """Why it failed, the outermost first."""


class Payment(Frozen):
    """One call to an image service, as the spend ledger tells of it."""

    service: str
    begun: datetime
    standing: str
    """paid, unpaid or unknown."""
    images: int = 0
    cost: str | None = None
    job_id: str | None = None


class Facts(Frozen):
    """One dead letter with its context."""

    letter: DeadLetter
    failure: Failure | None = None
    request: ImageRequest | None = None
    edited: bool = False
    """Whether `request` holds the edits of earlier redrives; else it is as Odoo sent it, since no worker answered."""
    log: tuple[str, ...] | None = None
    """The request's own; None where no worker answered."""
    tried: tuple[StepTried, ...] = ()


async def facts_of(client: Client, letter: DeadLetter) -> Facts:
    """What Temporal tells of a dead letter; raises `RPCError`."""
    handle = client.get_workflow_handle(letter.workflow_id, run_id=letter.run_id)
    events = [event async for event in handle.fetch_history_events()]
    known = Facts(letter=letter, failure=await _failure(handle), tried=steps_tried(events))
    try:
        async with asyncio.timeout(QUERY_S):
            case = await case_of(client, letter)
            told: Status = await handle.query(STATUS, result_type=Status)
    except (TimeoutError, RPCError, WorkflowQueryFailedError):
        return known.model_copy(update={"request": await _asked(client, events)})
    return known.model_copy(update={"request": case.request, "edited": True, "log": told.log})


async def facts_of_all(client: Client, letters: Sequence[DeadLetter]) -> AsyncIterator[Facts]:
    """What Temporal tells of several, in their order; raises `RPCError`."""
    for start in range(0, len(letters), AT_ONCE):
        for facts in await asyncio.gather(*(facts_of(client, letter) for letter in letters[start : start + AT_ONCE])):
            yield facts


async def payments_of(blobs: BlobStore, letter: DeadLetter, begun: datetime) -> list[Payment]:
    """What the spend ledger tells of a request that began then; raises OSError."""
    spend = await read_spend(blobs, begun.astimezone(UTC).date(), datetime.now(UTC).date())
    own = [call for call in spend.calls if (call.entry.request_id, call.entry.route) == _key(letter)]
    return [_payment(call) for call in own]


def steps_tried(events: Sequence[HistoryEvent]) -> tuple[StepTried, ...]:
    """The activities in a history, in order."""
    scheduled: dict[int, StepTried] = {}
    for event in events:
        match event.event_type:
            case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                asked = event.activity_task_scheduled_event_attributes
                name, queue = asked.activity_type.name, asked.task_queue.name
                scheduled[event.event_id] = StepTried(activity=name, queue=queue, attempts=0, ended="under way")
            case EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                started = event.activity_task_started_event_attributes
                _note(scheduled, started.scheduled_event_id, attempts=started.attempt)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
                completed = event.activity_task_completed_event_attributes
                _note(scheduled, completed.scheduled_event_id, ended="completed")
            case EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED:
                failed = event.activity_task_failed_event_attributes
                _note(scheduled, failed.scheduled_event_id, ended="failed", failures=chain(failed.failure))
            case EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
                late = event.activity_task_timed_out_event_attributes
                _note(scheduled, late.scheduled_event_id, ended="timed out", failures=chain(late.failure))
            case EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
                _note(scheduled, event.activity_task_canceled_event_attributes.scheduled_event_id, ended="cancelled")
    return tuple(scheduled.values())


def chain(failure: FailureMessage) -> tuple[str, ...]:
    """A failure and its causes, one line each."""
    lines: list[str] = []
    while (failure.message or failure.HasField("cause")) and len(lines) < _CHAIN_LIMIT:
        kind = failure.application_failure_info.type
        lines.append(" ".join(f"{kind}: {failure.message}".removeprefix(": ").split()))
        failure = failure.cause
    return tuple(lines)


def _note(scheduled: dict[int, StepTried], number: int, **fields: object) -> None:
    scheduled[number] = scheduled[number].model_copy(update=fields)


async def _failure(handle: WorkflowHandle[Any, Any]) -> Failure | None:
    found = await (await handle.describe()).memo_value(MEMO_PARKED, None)
    return Failure.model_validate(found["failure"]) if found else None


async def _asked(client: Client, events: Sequence[HistoryEvent]) -> ImageRequest | None:
    """The request as it came: the workflow's input."""
    payloads = events[0].workflow_execution_started_event_attributes.input.payloads
    (order,) = await client.data_converter.decode(payloads, [ImageGenerationInput])
    request: ImageRequest | None = order.request
    return request


def _key(letter: DeadLetter) -> tuple[str, str]:
    return letter.request_id, letter.route


def _payment(call: SpendCall) -> Payment:
    entry, priced = call.entry, call.priced
    cost = f"{priced.cost} {priced.currency or ''}".strip() if priced else None
    return Payment(
        service=entry.service,
        begun=entry.begun,
        standing=call.standing,
        images=call.images,
        cost=cost if priced is None or priced.reported else f"~{cost}",
        job_id=entry.job_id,
    )
