"""Runs today's workflow through a recorded history: same input, same answers, same messages, but fresh decisions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from temporalio import activity
from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowFailureError, WorkflowHistory
from temporalio.exceptions import ApplicationError

from contracts import names
from contracts.decisions import Decision, Discard, Redrive
from contracts.model import Frozen
from contracts.requests import (
    DeliverInput,
    DeliveryReceipt,
    GeneratedImages,
    Generation,
    ImageGenerationInput,
    JobFinished,
    JobInput,
    RecordRead,
)
from runtime.temporal import DATA_CONVERTER
from tests.replay.fingerprints import decoded, fingerprint, is_command, local_activity, order_of
from tests.workflows.harness import Bench, Doubles, Handle, bench, start_account

PATIENCE_S = 15
"""Seconds for one run; the longest wait in a scenario is 2 s."""

_ENDS = (EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED)
_AT_ONCE = 4
_SAME = ("request", "problem", "envelope", "policies", "record", "tenant", "priority")
"""What the fresh run takes over from the recorded input; names of services and queues are the bench's own."""

_T = TypeVar("_T", bound=Frozen)


@dataclass(frozen=True, slots=True)
class Reenacted:
    """What a fresh run asked for."""

    fingerprint: list[str]
    quick_options: str | None
    """Those of the local activity, which no history holds; None where it did not run."""


async def reenact(client: Client, recorded: WorkflowHistory) -> Reenacted:
    """Run the workflow on doubles that answer as recorded; raises `TimeoutError` where it goes another way."""
    order, doubles = order_of(recorded), _understudies(recorded)
    async with bench(client, doubles) as here, asyncio.timeout(PATIENCE_S):
        await start_account(here, concurrency=1)
        handle = await here.start(**_changes(order, here))
        try:
            await _repeat_messages(here, handle, recorded.events)
            with contextlib.suppress(WorkflowFailureError):
                await handle.result()
        finally:
            doubles.release.set()
        return Reenacted(fingerprint(await handle.fetch_history()), doubles.quick_options)


def _changes(order: ImageGenerationInput, here: Bench) -> dict[str, Any]:
    same = {name: getattr(order, name) for name in _SAME}
    return {
        **same,
        "failover": (here.other_service,) if order.failover else (),
        "leased": (here.service,) if order.service in order.leased else (),
    }


async def reenact_all(client: Client, recorded: Mapping[str, WorkflowHistory]) -> dict[str, Reenacted]:
    """Run each, a few at a time; raises what the first that cannot be run raises, naming it."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(name: str, history: WorkflowHistory) -> Reenacted:
        async with slots:
            try:
                return await reenact(client, history)
            except TimeoutError as error:
                error.add_note(f"scenario {name}: today's workflow does not get through the recorded history")
                raise

    # A group: the others must not go on alone once one has failed, their server goes away.
    async with asyncio.TaskGroup() as together:
        runs = {name: together.create_task(one(name, history)) for name, history in recorded.items()}
    return {name: run.result() for name, run in runs.items()}


# --- answers --------------------------------------------------------------------------------------------------------


@dataclass
class _Understudies(Doubles):
    """Doubles of which some deliveries and polls are never answered."""

    silent: frozenset[int] = frozenset()
    """Which deliveries, counted from 0."""
    silent_polls: frozenset[int] = frozenset()
    quick_options: str | None = None

    @activity.defn(name=names.DELIVER)
    async def deliver_callback(self, call: DeliverInput) -> DeliveryReceipt:
        info, number = activity.info(), len(self.delivered)
        if info.is_local:
            attempts = info.retry_policy.maximum_attempts if info.retry_policy else "unlimited"
            self.quick_options = f"start_to_close={info.start_to_close_timeout} attempts={attempts}"
        receipt = await super().deliver_callback(call)
        await self._silence(number in self.silent)
        return receipt

    @activity.defn(name=names.POLL)
    async def poll_job(self, job: JobInput) -> JobFinished:
        number = len(self.polled)
        if number in self.silent_polls:
            self.polled.append(job)
            await self._silence(number in self.silent_polls)
        return await super().poll_job(job)

    async def _silence(self, silent: bool) -> None:
        while silent and not self.release.is_set():
            activity.heartbeat()
            await asyncio.sleep(0.02)


def _understudies(recorded: WorkflowHistory) -> _Understudies:
    generate, poll, store, read, deliver = (
        list(_answers(recorded.events, name))
        for name in (names.GENERATE, names.POLL, names.STORE, names.READ_RECORD, names.DELIVER)
    )
    held = {names.GENERATE: generate, names.STORE: store, names.READ_RECORD: read}
    return _Understudies(
        generate=[_result(answer, Generation) for answer in generate] or [_NEVER],
        poll=[_result(answer, JobFinished) for answer in poll if answer is not _NEVER] or [_NEVER],
        collect=[_result(answer, GeneratedImages) for answer in store] or [_NEVER],
        read=[_result(answer, RecordRead) for answer in read] or [_NEVER],
        deliver=[_refusal(answer) for answer in deliver],
        hold=next((name for name, answers in held.items() if _NEVER in answers), None),
        silent=_unanswered(deliver),
        silent_polls=_unanswered(poll),
    )


def _unanswered(answers: Sequence[Payloads | ApplicationError]) -> frozenset[int]:
    return frozenset(number for number, answer in enumerate(answers) if answer is _NEVER)


def _refusal(answer: Payloads | ApplicationError) -> ApplicationError | None:
    return answer if isinstance(answer, ApplicationError) and answer is not _NEVER else None


_NEVER = ApplicationError("never answered", non_retryable=True)


def _answers(events: Sequence[HistoryEvent], name: str) -> Iterator[Payloads | ApplicationError]:
    """How each call of that activity ended, in order; `_NEVER` where nobody waited for its end."""
    for event in events:
        if event.activity_task_scheduled_event_attributes.activity_type.name == name:
            yield _ending(events, event.event_id)
        if local_activity(event) == name:
            marker = event.marker_recorded_event_attributes
            yield _error(marker.failure) if marker.HasField("failure") else marker.details["result"]


def _ending(events: Sequence[HistoryEvent], scheduled: int) -> Payloads | ApplicationError:
    for event in events:
        done, failed = event.activity_task_completed_event_attributes, event.activity_task_failed_event_attributes
        if done.scheduled_event_id == scheduled:
            return done.result
        if failed.scheduled_event_id == scheduled:
            return _error(failed.failure)
    return _NEVER


def _error(failure: Failure) -> ApplicationError:
    error = DATA_CONVERTER.failure_converter.from_failure(failure, DATA_CONVERTER.payload_converter)
    if not isinstance(error, ApplicationError):
        raise TypeError(f"an activity can only raise an ApplicationError again, not {type(error).__name__}")
    return ApplicationError(error.message, *error.details, type=error.type, non_retryable=True)


def _result(answer: Payloads | ApplicationError, kind: type[_T]) -> _T | Exception:
    if isinstance(answer, ApplicationError):
        return answer
    result: _T = decoded(answer, kind)
    return result


# --- messages -------------------------------------------------------------------------------------------------------


async def _repeat_messages(here: Bench, handle: Handle, recorded: Sequence[HistoryEvent]) -> None:
    for index, event in enumerate(recorded):
        send = _message(here, handle, event)
        if send is not None:
            await _until(handle, _progress(recorded[:index]))
            await send()


async def _until(handle: Handle, progress: int) -> None:
    while _progress((await handle.fetch_history()).events) < progress:
        await asyncio.sleep(0.1)


def _progress(events: Sequence[HistoryEvent]) -> int:
    return sum(is_command(event) or event.event_type in _ENDS for event in events)


def _message(here: Bench, handle: Handle, event: HistoryEvent) -> Callable[[], Awaitable[object]] | None:
    if event.HasField("workflow_execution_signaled_event_attributes"):
        signal = event.workflow_execution_signaled_event_attributes
        if signal.signal_name == names.JOB_FINISHED:
            return partial(handle.signal, names.JOB_FINISHED)
        if signal.signal_name == names.SLOT_GRANTED:
            # The account's own workflow runs beside the fresh one and grants by itself.
            return None
        return partial(handle.signal, signal.signal_name, _decision(here, signal.signal_name, signal.input))
    if event.HasField("workflow_execution_update_accepted_event_attributes"):
        update = event.workflow_execution_update_accepted_event_attributes.accepted_request.input
        return partial(handle.execute_update, update.name, _decision(here, update.name, update.args))
    if event.HasField("workflow_execution_cancel_requested_event_attributes"):
        return handle.cancel
    return None


def _decision(here: Bench, name: str, payloads: Payloads) -> Decision:
    if name == names.DISCARD:
        discard: Discard = decoded(payloads, Discard)
        return discard
    redrive: Redrive = decoded(payloads, Redrive)
    return redrive.model_copy(update={"service": here.other_service}) if redrive.service else redrive
