"""Scenarios of the workflow `alerts`, whose histories are recorded: each plays one run to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from contracts import names
from contracts.alert_board import Board
from contracts.alerts import Ack, AlertPolicy, AlertsState, LookOrder, Observation, SendOrder
from operations.alerts import read_board
from tests.alerts.looks import OPS, PAGER, letters, policy
from workflows import WORKFLOWS, sandbox


@dataclass
class Scripted:
    """The activities: what is seen, and which channels take nothing."""

    client: Client
    policy: AlertPolicy = field(default_factory=lambda: policy(interval_s=0.5, channels=(OPS, PAGER), escalate_s=1))
    dead: int = 3
    blind: bool = False
    deaf: set[str] = field(default_factory=set)

    @activity.defn(name=names.OBSERVE)
    async def observe(self, _order: LookOrder) -> Observation:
        if self.blind:
            raise ApplicationError("visibility does not answer", non_retryable=True)
        return Observation(policy=self.policy, dead_letters=letters(self.dead))

    @activity.defn(name=names.SEND_ALERT)
    async def send_alert(self, order: SendOrder) -> None:
        if order.channel in self.deaf:
            raise ApplicationError("no connection", non_retryable=True)

    @property
    def handle(self) -> WorkflowHandle[object, object]:
        """The watch."""
        return self.client.get_workflow_handle(names.ALERTS_WORKFLOW)

    async def until(self, true: Callable[[Board], bool]) -> None:
        """Wait until the board says so."""
        async with asyncio.timeout(30):
            while (board := await read_board(self.client)) is None or not true(board):
                await asyncio.sleep(0.05)

    async def end(self) -> None:
        """Nobody listens any more."""
        self.policy = self.policy.model_copy(update={"channels": ()})
        await self.handle.result()


async def acknowledged(script: Scripted) -> None:
    """Opened, acknowledged by Update and by Signal, over, ended."""
    await script.until(lambda board: board.channels != () and board.channels[0].sent_at is not None)
    await script.handle.execute_update(names.ACK, Ack(by="ann", alert=1, reason="on it"))
    await script.handle.signal(names.ACK, Ack(by="bob"))
    script.dead = 0
    await script.until(lambda board: not board.alerts and board.channels[0].waiting == 0)
    await script.end()


async def escalated(script: Scripted) -> None:
    """A channel that is away for a while, looks that fail, and an escalation."""
    script.deaf = {"ops"}
    await script.until(lambda board: board.channels != () and board.channels[0].error is not None)
    script.deaf, script.blind = set(), True
    await script.until(lambda board: board.trouble is not None)
    script.blind = False
    await script.until(lambda board: all(channel.sent_at for channel in board.channels))
    await script.end()


SCENARIOS: Mapping[str, Callable[[Scripted], Awaitable[None]]] = MappingProxyType(
    {"acknowledged": acknowledged, "escalated": escalated}
)


async def played(scenario: str, client: Client) -> WorkflowHistory:
    """The history of a scenario; there is one watch on a server."""
    script, queue = Scripted(client), names.WORKFLOW_QUEUE
    handle = await client.start_workflow(
        names.ALERTS_WORKFLOW, AlertsState(), id=names.ALERTS_WORKFLOW, task_queue=queue
    )
    own: list[Callable[..., Any]] = [script.observe, script.send_alert]
    async with (
        Worker(client, task_queue=queue, workflows=WORKFLOWS, workflow_runner=sandbox()),
        Worker(client, task_queue=names.MAINTENANCE_QUEUE, activities=own),
    ):
        await SCENARIOS[scenario](script)
    return await handle.fetch_history()
