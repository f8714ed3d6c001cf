"""The desk with the real workflows, activities and server."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter

from contracts.dead_letter_batches import CANCEL, PAUSE, RESUME, Outcome, Phase
from contracts.dead_letter_orders import BatchCommand
from contracts.dead_letters import LetterFilter
from contracts.requests import ImageGenerationResult
from runtime.updates import execute_update
from tests.dead_letters.desk import Desk
from tests.dead_letters.desk_worker import HOPELESS, NO_ODOO, UNKNOWN
from tests.operations.commandline import CHECKOUT

COMMAND = BatchCommand(by="bob", reason="looks wrong")


async def test_a_hundred_are_redriven_once_by_two_operators_at_the_same_time(desk: Desk) -> None:
    async with desk.working():
        ids = await desk.parked(100)
        desk.give("credit")
        first, second = await asyncio.gather(desk.order(canary=5), desk.order(by="bob"))
        reports = await asyncio.gather(first.result(), second.result())
        redrives = await desk.redrives(ids)
    assert [report.outcome for report in reports] == [Outcome.DONE, Outcome.DONE]
    assert sum(report.counts.taken for report in reports) == 100
    assert sum(report.counts.void for report in reports) == 100
    assert sum(report.counts.succeeded for report in reports) == 100
    assert (set(redrives), Counter(desk.generated())) == ({1}, {1: 100})


async def test_a_worker_that_is_killed_amid_a_batch_loses_and_doubles_nothing(desk: Desk) -> None:
    async with desk.working():
        ids = await desk.parked(16)
    desk.give("credit")
    worker = (sys.executable, "-P", "-m", "tests.dead_letters.desk_worker", desk.address, str(desk.line.directory))
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    first = await asyncio.create_subprocess_exec(*worker, env=environment)
    second = None
    try:
        batch = await desk.order(pace=2)
        await batch.until(lambda report: 0 < report.decided < 16)
        first.send_signal(signal.SIGKILL)
        await first.wait()
        second = await asyncio.create_subprocess_exec(*worker, env=environment)
        report = await batch.result()
        redrives = await desk.redrives(ids)
    finally:
        for process in (first, second):
            if process is not None and process.returncode is None:
                process.kill()
                await process.wait()
    assert (report.counts.taken, report.counts.succeeded, report.counts.void) == (16, 16, 0)
    assert set(redrives) == {1}


async def test_canaries_that_fail_again_stop_the_others_until_a_person_resumes(desk: Desk) -> None:
    async with desk.working():
        ids = await desk.parked(6)
        batch = await desk.order(canary=2, stop_above=0.1)
        stopped = await batch.until(lambda report: report.paused is not None)
        assert (stopped.decided, stopped.counts.failed, stopped.phase) == (2, 2, Phase.CANARY)
        assert stopped.paused == "100% failed again, above the limit of 10%"
        assert stopped.failed_causes == {"QuotaExhausted": 2}
        desk.give("credit")
        await execute_update(batch.handle, RESUME, [COMMAND])
        report = await batch.result()
        redrives = await desk.redrives(ids)
    assert (report.outcome, report.counts.succeeded, report.counts.failed) == (Outcome.DONE, 4, 2)
    assert set(redrives) == {1}


async def test_a_cancelled_batch_leaves_the_rest_parked(desk: Desk) -> None:
    async with desk.working():
        ids = await desk.parked(6)
        desk.give("credit")
        batch = await desk.order(pace=0.01)
        await batch.until(lambda report: report.decided > 0)
        await execute_update(batch.handle, PAUSE, [COMMAND])
        await execute_update(batch.handle, CANCEL, [COMMAND])
        report = await batch.result()
        redrives = await desk.redrives(ids)
    assert report.outcome is Outcome.CANCELLED
    assert report.cancelled == "by bob: looks wrong"
    assert 0 < report.decided < 6
    assert sum(redrives) == report.counts.taken == report.decided


async def test_an_edit_that_is_invalid_for_some_is_refused_before_anything_is_decided(desk: Desk) -> None:
    async with desk.working():
        desk.give("credit")
        callbacks = await desk.parked(2, mark=NO_ODOO)
        (desk.line.directory / "credit").unlink()
        ids = await desk.parked(3, HOPELESS)
        edits = {"prompt": "a fox in the snow"}
        desk.give("credit")
        refused = await (await desk.order(edits=edits)).result()
        assert set(await desk.redrives([*ids, *callbacks])) == {0}
        done = await (await desk.order(edits=edits, skip_invalid=True)).result()
        logs = [(await desk.told(desk.handle(request_id))).log for request_id in ids]
    assert (refused.outcome, refused.decided, refused.counts.taken) == (Outcome.REFUSED, 0, 0)
    assert {one.request_id for one in refused.told} == set(callbacks)
    assert "only the callback failed" in refused.told[0].said
    assert (done.outcome, done.counts.succeeded, done.counts.invalid) == (Outcome.DONE, 3, 2)
    diff = f'redriven by ann: credit was added (prompt: "{HOPELESS}" -> "a fox in the snow")'
    assert all(any(diff in line for line in log) for log in logs)
    (file,) = (desk.line.directory / "images" / str(done.audit)).glob("decided-*")
    audit = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert Counter(line["taken"] for line in audit) == {"taken": 3, "invalid": 2}
    assert {(line["by"], line["reason"]) for line in audit} == {("ann", "credit was added")}
    changes = [line["changes"] for line in audit if line["taken"] == "taken"]
    assert changes == 3 * [[f'prompt: "{HOPELESS}" -> "a fox in the snow"']]


async def test_what_may_be_paid_for_already_is_not_paid_again_by_the_way(desk: Desk) -> None:
    async with desk.working():
        lost, plain = await desk.parked(2, UNKNOWN), await desk.parked(1)
        by_the_way = await (await desk.order(service="spare")).result()
        narrowed = await (await desk.order(service="spare", skip_invalid=True)).result()
        in_words = await (await desk.order(service="spare", generate_again=True)).result()
        redrives = await desk.redrives([*lost, *plain])
    assert (by_the_way.outcome, {one.request_id for one in by_the_way.told}) == (Outcome.REFUSED, set(lost))
    assert "may have been paid for already (OutcomeUnknown)" in by_the_way.told[0].said
    assert [narrowed.counts.succeeded, in_words.counts.succeeded] == [1, 2]
    assert redrives == [1, 1, 1]


async def test_discarded_by_filter(desk: Desk) -> None:
    async with desk.working():
        kept = await desk.parked(1, route="other")
        ids = await desk.parked(4)
        report = await (await desk.order(kind="discard", reason="campaign is over")).result()
        results = [ImageGenerationResult.model_validate(await desk.handle(request_id).result()) for request_id in ids]
        assert (await desk.told(desk.handle(kept[0], "other"))).parked is not None
    assert (report.outcome, report.counts.taken, report.open) == (Outcome.DONE, 4, 0)
    assert {result.outcome for result in results} == {"discarded"}


async def test_a_batch_by_ids_takes_these_alone(desk: Desk) -> None:
    async with desk.working():
        ids = await desk.parked(3)
        desk.give("credit")
        report = await (await desk.order(chosen=LetterFilter(request_ids=(ids[1],)))).result()
        assert await desk.redrives(ids) == [0, 1, 0]
    assert (report.total, report.counts.succeeded) == (1, 1)
