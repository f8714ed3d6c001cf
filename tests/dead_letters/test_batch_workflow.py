"""The workflow of a batch against scripted activities."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from contracts import names
from contracts.dead_letter_batches import (
    DECIDE,
    LOOK,
    MEMO_BATCH,
    SELECT,
    BatchReport,
    Chunk,
    Decided,
    Look,
    Outcome,
    Seen,
    Selected,
)
from contracts.dead_letter_orders import BatchOrder
from contracts.dead_letters import LetterFilter
from operations.dead_letter_batches import order_batch
from runtime.updates import execute_update
from tests.dead_letters.desk import Batch
from workflows import WORKFLOWS, sandbox


@dataclass
class Script:
    """What the activities answer, and what they were asked."""

    total: int = 10
    problem: str | None = None
    unknown_looks: int = 0
    """Looks that find nothing, before all is settled."""
    failed_of: int = 0
    """One of so many fails again; 0 = none."""
    chunks: list[Chunk] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)

    @activity.defn(name=SELECT)
    async def select(self, order: BatchOrder) -> Selected:
        if self.problem:
            raise ApplicationError(self.problem, non_retryable=True)
        return Selected(folder=f"dead-letter-batches/{order.name}/1", total=self.total)

    @activity.defn(name=DECIDE)
    async def decide(self, chunk: Chunk) -> Decided:
        self.chunks.append(chunk)
        return Decided(taken=tuple(range(chunk.first, chunk.first + chunk.count)))

    @activity.defn(name=LOOK)
    async def look(self, look: Look) -> Seen:
        self.looks.append(look)
        if len(self.looks) <= self.unknown_looks:
            return Seen()
        failed = tuple(place for place in look.places if self.failed_of and place % self.failed_of == 0)
        return Seen(
            succeeded=tuple(place for place in look.places if place not in failed),
            failed=failed,
            causes={"QuotaExhausted": len(failed)} if failed else {},
        )


@asynccontextmanager
async def working(client: Client, script: Script) -> AsyncIterator[None]:
    async with (
        Worker(client, task_queue=names.WORKFLOW_QUEUE, workflows=WORKFLOWS, workflow_runner=sandbox()),
        Worker(client, task_queue=names.MAINTENANCE_QUEUE, activities=[script.select, script.decide, script.look]),
    ):
        yield


async def ordered(client: Client, **fields: Any) -> Batch:
    given: dict[str, Any] = {"name": f"w-{uuid.uuid4().hex[:8]}", "kind": "redrive", "by": "ann", "reason": "r"}
    order = BatchOrder.model_validate({"chosen": LetterFilter(), "pace": 1000, **given, **fields})
    await order_batch(client, order)
    return Batch(client, order.name)


async def finished(client: Client, script: Script, **fields: Any) -> BatchReport:
    async with working(client, script):
        return await (await ordered(client, **fields)).result()


async def test_canaries_go_first_and_the_others_in_rows(desk_client: Client) -> None:
    script = Script(total=120)
    report = await finished(desk_client, script, canary=3)
    assert [(chunk.first, chunk.count) for chunk in script.chunks] == [(0, 3), (3, 50), (53, 50), (103, 17)]
    assert script.looks[0].places == (0, 1, 2)
    assert (report.outcome, report.decided, report.counts.succeeded) == (Outcome.DONE, 120, 120)


async def test_too_many_failures_of_the_rest_pause_it_and_a_resume_forgets_them(desk_client: Client) -> None:
    script = Script(total=200, failed_of=4)
    async with working(desk_client, script):
        batch = await ordered(desk_client, pace=20)
        paused = await batch.until(lambda report: report.paused is not None)
        assert paused.decided < 200
        assert "failed again, above the limit of 20%" in (paused.paused or "")
        memo = await (await batch.handle.describe()).memo_value(MEMO_BATCH)
        assert memo["paused"] == paused.paused
        script.failed_of = 0
        await execute_update(batch.handle, "resume", [{"by": "bob", "reason": "repaired"}])
        await batch.until(lambda report: report.decided > paused.decided)
        await execute_update(batch.handle, "cancel", [{"by": "bob", "reason": "enough"}])
        report = await batch.result()
    assert report.outcome is Outcome.CANCELLED
    assert any("resumed by bob: repaired" in line for line in report.log or ())


async def test_a_selection_that_cannot_be_made_is_refused(desk_client: Client) -> None:
    report = await finished(desk_client, Script(problem="more than 20000 dead letters are chosen"))
    assert (report.outcome, report.total) == (Outcome.REFUSED, 0)
    assert "refused: more than 20000 dead letters are chosen" in (report.log or ())[-2]


async def test_nothing_chosen_ends_at_once(desk_client: Client) -> None:
    script = Script(total=0)
    report = await finished(desk_client, script, canary=5)
    assert (report.outcome, report.decided, script.chunks) == (Outcome.DONE, 0, [])


async def test_a_discard_waits_for_no_outcome(desk_client: Client) -> None:
    script = Script(total=30)
    report = await finished(desk_client, script, kind="discard")
    assert (report.counts.taken, report.open, script.looks) == (30, 0, [])


async def test_a_long_watch_hands_on_to_another_run_and_keeps_all_numbers(desk_client: Client) -> None:
    script = Script(total=60, unknown_looks=200)
    async with working(desk_client, script):
        batch = await ordered(desk_client)
        first = await batch.handle.describe()
        report = await batch.result()
    begun = await desk_client.get_workflow_handle(first.id, run_id=first.run_id).describe()
    assert begun.status is WorkflowExecutionStatus.CONTINUED_AS_NEW
    assert (report.outcome, report.decided, report.counts.taken, report.counts.succeeded) == (Outcome.DONE, 60, 60, 60)
    assert len(script.chunks) == 2


async def test_what_a_batch_must_refuse(desk_client: Client) -> None:
    script = Script(total=4)
    async with working(desk_client, script):
        batch = await ordered(desk_client, pace=0.5)
        await batch.until(lambda report: report.decided > 0)
        refusals = [await refused(batch, "resume"), await refused(batch, "pause", again=True)]
        await execute_update(batch.handle, "cancel", [{"by": "bob"}])
        await batch.result()
    assert refusals == ["the batch is not paused", "the batch is paused already"]


async def refused(batch: Batch, command: str, *, again: bool = False) -> str:
    if again:
        await execute_update(batch.handle, command, [{"by": "bob"}])
    try:
        await execute_update(batch.handle, command, [{"by": "bob"}])
    except Exception as error:  # noqa: BLE001 - its cause is what is asked for
        return str(getattr(error.__cause__, "message", error))
    await asyncio.sleep(0)
    return "taken"
