"""The workflow `dead-letter-batch`: one decision about many dead letters, taken by canaries first and at a pace.

It pauses itself where too many fail again; a person resumes or cancels it. Its history stays short: letters are named
by their place in a selection that stands in the store, and a long run hands on to the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception

from contracts import names
from contracts.dead_letter_batches import (
    DECIDE,
    LOOK,
    SELECT,
    BatchReport,
    BatchState,
    Chunk,
    Decided,
    Look,
    Outcome,
    Phase,
    Seen,
    Selected,
    at_once,
    breaks_off,
    error_share,
)
from contracts.dead_letter_orders import BatchCommand
from contracts.model import Frozen
from workflows.dead_letter_batch_desk import BatchDesk

EVENT_LIMIT = 1000
"""Events after which a run hands on to the next."""
CANARY_WAIT = timedelta(minutes=15)
"""For the outcomes of the canaries; then a person decides."""
SETTLE = timedelta(hours=1)
"""For the outcomes of the last ones; what takes longer goes on without the batch."""
SELECT_LIMIT = timedelta(minutes=30)
CALL_LIMIT = timedelta(minutes=5)
SILENCE = timedelta(seconds=15)
"""After which a worker counts as dead: what it did may be repeated."""
SELECT_SILENCE = timedelta(seconds=60)
_LOOKED_AT = 250
_PATIENCE_S, _LONGEST_PATIENCE_S = 3.0, 60.0

_T = TypeVar("_T", bound=Frozen)


@workflow.defn(name=names.DEAD_LETTER_BATCH_WORKFLOW)
class DeadLetterBatchWorkflow(BatchDesk):
    """Select, check, decide, watch, report."""

    @workflow.init
    def __init__(self, state: BatchState) -> None:
        """Take over what the run before has left."""
        super().__init__(state)
        self._moving_on = False

    @workflow.run
    async def run(self, _state: BatchState) -> BatchReport:
        """See the batch through; a cancellation ends it after the decisions that are under way."""
        work = asyncio.create_task(self._work())
        try:
            outcome = await asyncio.shield(work)
        except BaseException as error:
            if not is_cancelled_exception(error):
                raise
            self._cancel(BatchCommand(by="a cancellation of the workflow"))
            outcome = await work
        if outcome is None:
            workflow.continue_as_new(self._state)
        self._over = True
        return self._end(outcome)

    async def _work(self) -> Outcome | None:
        if self._state.selected is None:
            problem = await self._select()
            if problem is not None:
                self._note(f"refused: {problem}")
                return Outcome.REFUSED
        watching = asyncio.create_task(self._watch())
        await self._decide_all()
        await self._settle()
        await _stopped(watching)
        if self._state.cancelled is not None:
            return Outcome.CANCELLED
        left = self._state.open or self._state.cursor < self._state.total
        return None if self._moving_on and left else Outcome.DONE

    # --- select -------------------------------------------------------------------------------------------------

    async def _select(self) -> str | None:
        """Fix the selection; returns why nothing can be begun."""
        order = self._state.order
        self._note(f"{order.kind} ordered by {order.by}: {order.reason}")
        what = f"choose: {order.chosen.words()}"[:200]
        selecting = asyncio.create_task(_execute(SELECT, order, Selected, SELECT_LIMIT, what))
        await workflow.wait_condition(lambda: selecting.done() or self._stops)
        if not selecting.done():
            await _stopped(selecting)
            return None
        try:
            selected = await selecting
        except ActivityError as error:
            return _reason(error)
        self._change(selected=selected, told=selected.refusals)
        self._note(f"{selected.total} chosen, {selected.invalid} of them not possible")
        if selected.invalid and not order.skip_invalid:
            return f"the decision is not possible for {selected.invalid} of {selected.total}"
        return None

    # --- decide -------------------------------------------------------------------------------------------------

    async def _decide_all(self) -> None:
        canaries = min(self._state.order.canary, self._state.total)
        if self._state.cursor < canaries or self._state.phase is Phase.CANARY:
            self._move(Phase.CANARY)
            await self._decide_up_to(canaries)
            await self._await_canaries()
        if not self._stops and self._state.cursor < self._state.total:
            self._move(Phase.DECIDING)
            await self._decide_up_to(self._state.total)

    @property
    def _stops(self) -> bool:
        return self._moving_on or self._state.cancelled is not None

    async def _decide_up_to(self, end: int) -> None:
        while self._state.cursor < end:
            await workflow.wait_condition(lambda: self._stops or self._state.paused is None)
            if self._stops:
                return
            begun, size = workflow.time(), at_once(self._state.order.pace, end - self._state.cursor)
            await self._decide(size)
            self._moving_on = self._moving_on or self._long_enough()
            if self._state.cursor < end:
                await self._rest(begun + size / self._state.order.pace - workflow.time())

    async def _decide(self, size: int) -> None:
        state = self._state
        folder = state.selected.folder if state.selected else ""
        chunk = Chunk(order=state.order.without_filter, folder=folder, first=state.cursor, count=size)
        what = f"{state.order.kind} {state.cursor + 1} to {state.cursor + size} of {state.total}"
        done = await _execute(DECIDE, chunk, Decided, CALL_LIMIT, what)
        counts = self._state.counts.plus(
            taken=len(done.taken),
            void=done.void,
            invalid=done.invalid,
            refused=done.refused,
        )
        watched = done.taken if state.order.kind == "redrive" else ()
        self._change(cursor=state.cursor + size, counts=counts, open=(*self._state.open, *watched))
        self._tell(done.told)

    async def _rest(self, seconds: float) -> None:
        if seconds > 0 and not self._stops:
            await _until(lambda: self._stops, timedelta(seconds=seconds), "keeps the pace")

    async def _await_canaries(self) -> None:
        if not await _until(lambda: self._stops or not self._state.open, CANARY_WAIT, "outcomes of the canaries"):
            self._pause(f"the outcome of {len(self._state.open)} canaries is not known after {CANARY_WAIT}")
        await workflow.wait_condition(lambda: self._stops or self._state.paused is None)

    async def _settle(self) -> None:
        if not self._stops:
            self._move(Phase.SETTLING)
            left = len(self._state.open)
            if left and not await _until(lambda: self._stops or not self._state.open, SETTLE, "outcomes of the last"):
                self._note(f"{len(self._state.open)} go on without the batch")

    # --- watch --------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Look after what was redriven, until all is over."""
        patience = _PATIENCE_S
        while True:
            await workflow.wait_condition(lambda: bool(self._state.open))
            seen = await self._look(patience)
            if self._long_enough():
                self._moving_on = True
                return
            fast = seen or self._state.cursor < self._state.total
            patience = _PATIENCE_S if fast else min(2 * patience, _LONGEST_PATIENCE_S)

    async def _look(self, patience_s: float) -> bool:
        places = self._state.open[:_LOOKED_AT]
        folder = self._state.selected.folder if self._state.selected else ""
        look = Look(folder=folder, places=places, patience_s=patience_s)
        seen = await _execute(LOOK, look, Seen, CALL_LIMIT, f"look at {len(places)} that were redriven")
        counts = self._state.counts.plus(succeeded=len(seen.succeeded), failed=len(seen.failed), ended=len(seen.ended))
        causes = dict(self._state.causes)
        for cause, count in seen.causes.items():
            causes[cause] = causes.get(cause, 0) + count
        # Those that were looked at go to the end, so that all have their turn.
        waiting = (*self._state.open[len(places) :], *(place for place in places if place not in seen.known))
        self._change(counts=counts, causes=causes, open=waiting)
        self._tell(seen.told)
        self._break_off()
        return bool(seen.known)

    def _break_off(self) -> None:
        if self._state.paused is None and self._state.cancelled is None and breaks_off(self._state):
            share, limit = error_share(self._state), self._state.order.stop_above
            self._pause(f"{share:.0%} failed again, above the limit of {limit:.0%}")

    def _move(self, phase: Phase) -> None:
        if self._state.phase is not phase:
            self._change(phase=phase)
            self._publish()

    def _long_enough(self) -> bool:
        info = workflow.info()
        return info.is_continue_as_new_suggested() or info.get_current_history_length() >= EVENT_LIMIT


async def _execute(activity: str, order: Frozen, result: type[_T], limit: timedelta, what: str) -> _T:
    done: _T = await workflow.execute_activity(
        activity,
        order,
        result_type=result,
        task_queue=names.MAINTENANCE_QUEUE,
        start_to_close_timeout=limit,
        heartbeat_timeout=SELECT_SILENCE if activity == SELECT else SILENCE,
        # What a batch needs comes back: it waits for it, and starts from where it was.
        retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=30)),
        summary=what,
    )
    return done


async def _until(reached: Callable[[], bool], limit: timedelta, what: str) -> bool:
    """Whether it was reached in time."""
    try:
        await workflow.wait_condition(reached, timeout=limit, timeout_summary=what)
    except TimeoutError:
        return False
    return True


async def _stopped(task: asyncio.Task[Any]) -> None:
    """End a task; raises what it died of before."""
    task.cancel()
    try:
        await task
    except BaseException as error:
        if not is_cancelled_exception(error):
            raise


def _reason(error: ActivityError) -> str:
    return str(getattr(error.cause, "message", None) or error.cause or error)
