"""An answer that was paid for is kept before anything else is waited for: not the account, not the ledger."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from temporalio.activity import ActivityCancellationDetails
from temporalio.testing import ActivityEnvironment

from contracts.errors import Failure
from contracts.requests import Generation
from tests.activities.desk import Desk, generate_input
from tests.activities.doubles import ACCEPTED, INLINE, JOB, PICTURE, ScriptedGate


@dataclass
class SilentGate(ScriptedGate):
    """Its account does not answer before it is told to."""

    told: asyncio.Event = field(default_factory=asyncio.Event)
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def report(self, service: str, failure: Failure | None, retry_after_s: float | None) -> None:
        self.told.set()
        await self.answers.wait()


class BrokenGate(ScriptedGate):
    """Fails in a way that nobody has thought of."""

    async def report(self, service: str, failure: Failure | None, retry_after_s: float | None) -> None:
        raise LookupError("no such account")


async def _shut_down_while_the_account_is_told(desk: Desk) -> None:
    gate = desk.gate = SilentGate()
    environment = ActivityEnvironment()
    attempt = asyncio.create_task(environment.run(desk.activities.generate_image, generate_input()))
    await gate.told.wait()
    environment.cancel(ActivityCancellationDetails(worker_shutdown=True))
    for _ in range(10):
        await asyncio.sleep(0)
    gate.answers.set()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    desk.gate = ScriptedGate()


async def test_an_image_in_hand_outlives_a_worker_that_stops_while_its_account_is_told(desk: Desk) -> None:
    desk.service.submits = [INLINE]
    await _shut_down_while_the_account_is_told(desk)
    again = await desk.generating().attempt()
    assert await desk.images(again.generated) == [PICTURE]
    assert len(desk.service.submitted) == 1


async def test_a_job_in_hand_outlives_a_worker_that_stops_while_its_account_is_told(desk: Desk) -> None:
    desk.service.submits = [ACCEPTED]
    await _shut_down_while_the_account_is_told(desk)
    assert await desk.generating().attempt() == Generation(job=JOB)
    assert len(desk.service.submitted) == 1


async def test_an_account_that_cannot_be_told_at_all_costs_no_image(desk: Desk) -> None:
    desk.gate = BrokenGate()
    made = await desk.generating().attempt()
    assert await desk.images(made.generated) == [PICTURE]


class ClosedGate(ScriptedGate):
    """Fails before anything is sent, in a way that nobody has thought of."""

    async def admit(self, service: str, *, failover: bool) -> None:
        raise LookupError("no such account")


async def test_what_failed_before_anything_was_sent_leaves_nothing_unknown(desk: Desk) -> None:
    desk.gate = ClosedGate()
    assert not (await desk.generating().failing()).non_retryable
    assert await desk.marker() is None
    desk.gate = ScriptedGate()
    assert await desk.images((await desk.generating().attempt()).generated) == [PICTURE]


async def test_an_adapter_that_breaks_with_the_answer_in_hand_leaves_an_unknown_call(desk: Desk) -> None:
    desk.service.submits = [LookupError("no such field")]
    await desk.generating().failing()
    marker = await desk.marker()
    assert marker is not None
    assert marker.gives_up_at == 0, "nobody needs to wait for it"
    assert (await desk.spent())[0].standing == "unknown"
