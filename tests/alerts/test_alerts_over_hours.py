"""The workflow `alerts` over hours, on a server that skips time; what it sees and whom it tells is scripted."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from temporalio import activity, workflow
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from contracts import names
from contracts.alert_board import Board
from contracts.alerts import Ack, AlertPolicy, AlertsState, LookOrder, Observation, SendOrder
from operations.alerts import read_board
from runtime.temporal import DATA_CONVERTER
from tests.alerts.looks import OPS, PAGER, letters, policy
from workflows import sandbox
from workflows.alerts import AlertsWorkflow

BINARY = Path(sys.executable).parent / "temporal-test-server"
MINUTE, HOUR = 60.0, 3600.0


@dataclass
class Script:
    """What is seen and what is told, with the minute of each message."""

    policy: AlertPolicy
    dead: int = 3
    blind: bool = False
    deaf: set[str] = field(default_factory=set)
    """Channels that take nothing."""
    told: list[tuple[str, str, int, int]] = field(default_factory=list)
    """Channel, event, count, number of the alert."""

    @activity.defn(name=names.OBSERVE)
    async def observe(self, _order: LookOrder) -> Observation:
        if self.blind:
            raise ApplicationError("visibility does not answer", non_retryable=True)
        return Observation(policy=self.policy, dead_letters=letters(self.dead))

    @activity.defn(name=names.SEND_ALERT)
    async def send_alert(self, order: SendOrder) -> None:
        if order.channel in self.deaf:
            raise ApplicationError("no connection", non_retryable=True)
        for one in order.notices:
            self.told.append((order.channel, one.event, one.alert.condition.count, one.alert.number))

    @property
    def events(self) -> list[tuple[str, str]]:
        """Who was told what."""
        return [(channel, event) for channel, event, _, _ in self.told]


@dataclass(frozen=True)
class Hours:
    """A watch in time that is skipped."""

    environment: WorkflowEnvironment
    script: Script

    @property
    def handle(self) -> WorkflowHandle[object, object]:
        return self.environment.client.get_workflow_handle(names.ALERTS_WORKFLOW)

    async def board(self) -> Board:
        board = await read_board(self.environment.client)
        assert board is not None
        return board

    async def after(self, seconds: float) -> list[tuple[str, str]]:
        """Let time go by; who was told what so far."""
        await self.environment.sleep(seconds)
        return self.script.events


@pytest.fixture
async def hours() -> AsyncIterator[Hours]:
    script = Script(policy(interval_s=60, group_s=30, escalate_s=1800, repeat_s=2 * HOUR, channels=(OPS, PAGER)))
    environment = await WorkflowEnvironment.start_time_skipping(
        data_converter=DATA_CONVERTER, test_server_existing_path=str(BINARY)
    )
    async with environment:
        client, queue = environment.client, names.MAINTENANCE_QUEUE
        await client.start_workflow(
            names.ALERTS_WORKFLOW, AlertsState(), id=names.ALERTS_WORKFLOW, task_queue=names.WORKFLOW_QUEUE
        )
        async with (
            Worker(client, task_queue=names.WORKFLOW_QUEUE, workflows=[AlertsWorkflow], workflow_runner=sandbox()),
            Worker(client, task_queue=queue, activities=[script.observe, script.send_alert]),
        ):
            yield Hours(environment, script)


async def test_what_nobody_acknowledges_is_escalated_and_told_again(hours: Hours) -> None:
    assert await hours.after(29 * MINUTE) == [("ops", "opened")]
    assert await hours.after(5 * MINUTE) == [("ops", "opened"), ("pager", "escalated")]
    told = await hours.after(2 * HOUR)
    assert sorted(told[2:]) == [("ops", "repeated"), ("pager", "repeated")]
    assert [alert.escalated for alert in (await hours.board()).alerts] == [True]


async def test_what_is_acknowledged_is_silent_until_it_is_over(hours: Hours) -> None:
    await hours.after(5 * MINUTE)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await hours.handle.execute_update(names.ACK, Ack(by="ann", alert=7))
    assert "alert 7 is not open; open: 1" in str(refused.value.cause)
    assert await hours.handle.execute_update(names.ACK, {"by": "ann", "alert": 1}) == "acknowledged: 1"
    await hours.handle.signal(names.ACK, Ack(by="bob"))
    assert await hours.after(5 * HOUR) == [("ops", "opened")]
    assert (await hours.board()).alerts[0].acked_by == "ann"
    hours.script.dead = 0
    assert await hours.after(5 * MINUTE) == [("ops", "opened"), ("ops", "resolved")]
    assert (await hours.board()).alerts == ()


async def test_a_channel_that_is_deaf_for_hours_hears_it_once(hours: Hours) -> None:
    hours.script.deaf = {"ops"}
    rarely = {"escalate_s": 0.0, "repeat_s": 0.0, "interval_s": 300.0}
    hours.script.policy = hours.script.policy.model_copy(update=rarely)
    assert await hours.after(10 * HOUR) == []
    (ops, _) = (await hours.board()).channels
    assert (ops.error, ops.waiting) == ("no connection", 1)
    assert ops.failing_since is not None
    hours.script.dead = 1000
    assert await hours.after(10 * MINUTE) == []
    hours.script.deaf = set()
    await hours.after(10 * MINUTE)
    assert hours.script.told == [("ops", "opened", 1000, 1)]
    assert (await hours.board()).channels[0].failing_since is None


async def test_a_run_hands_on_all_it_knows(hours: Hours, monkeypatch: pytest.MonkeyPatch) -> None:
    await hours.after(5 * MINUTE)
    first = (await hours.handle.describe()).run_id
    hours.script.policy = hours.script.policy.model_copy(update={"escalate_s": 0.0, "repeat_s": 0.0})
    while (await hours.handle.describe()).run_id == first:
        await hours.after(HOUR)
    assert hours.script.events == [("ops", "opened")]
    assert [(alert.number, alert.told) for alert in (await hours.board()).alerts] == [(1, ("ops",))]


async def test_a_look_that_fails_ends_no_alert_and_is_told_on_the_page(hours: Hours) -> None:
    await hours.after(5 * MINUTE)
    hours.script.blind, hours.script.dead = True, 0
    await hours.after(10 * MINUTE)
    board = await hours.board()
    assert (len(board.alerts), board.trouble) == (1, "visibility does not answer")
    assert "resolved" not in [event for _, event in hours.script.events]
    page = await hours.handle.query("__temporal_workflow_metadata")
    assert "visibility does not answer" in str(page)
    hours.script.blind = False
    assert (await hours.after(10 * MINUTE))[-1] == ("ops", "resolved")
    assert (await hours.board()).trouble is None


def test_the_update_says_what_it_takes() -> None:
    definition = workflow._Definition.must_from_class(AlertsWorkflow)  # noqa: SLF001 - what the Web UI shows
    assert '{"by": "you", "alert": 17' in (definition.updates[names.ACK].description or "")
