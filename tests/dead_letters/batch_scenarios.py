"""Scenarios of `dead-letter-batch`, whose histories are recorded."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from temporalio.client import Client, WorkflowHistory

from contracts.dead_letter_batches import CANCEL, PAUSE, RESUME
from contracts.dead_letter_orders import BatchCommand
from runtime.updates import execute_update
from tests.dead_letters.desk import Batch, Desk
from tests.dead_letters.desk_worker import HOPELESS
from tests.operations.commandline import configured

COMMAND = BatchCommand(by="ada", reason="look first")

Scenario = Callable[[Desk], Awaitable[Batch]]


async def redriven_after_canaries(desk: Desk) -> Batch:
    """Canaries that settle, then the others."""
    await desk.parked(6)
    desk.give("credit")
    return await desk.order(canary=2, pace=2)


async def paused_by_itself_and_resumed(desk: Desk) -> Batch:
    """Canaries that fail again; a person resumes."""
    await desk.parked(4)
    batch = await desk.order(canary=2)
    await batch.until(lambda report: report.paused is not None)
    desk.give("credit")
    await execute_update(batch.handle, RESUME, [COMMAND])
    return batch


async def paused_and_cancelled(desk: Desk) -> Batch:
    """A person pauses and cancels amid the decisions."""
    await desk.parked(4)
    desk.give("credit")
    batch = await desk.order(pace=0.5)
    await batch.until(lambda report: report.decided > 0)
    await execute_update(batch.handle, PAUSE, [COMMAND])
    await execute_update(batch.handle, CANCEL, [COMMAND])
    return batch


async def cancelled_by_temporal(desk: Desk) -> Batch:
    """The cancellation of the workflow itself, amid the decisions."""
    await desk.parked(4)
    desk.give("credit")
    batch = await desk.order(pace=0.5)
    await batch.until(lambda report: report.decided > 0)
    await batch.handle.cancel()
    return batch


async def refused(desk: Desk) -> Batch:
    """An edit that is invalid: nothing is decided."""
    await desk.parked(2, HOPELESS)
    return await desk.order(edits={"width": "wide"})


async def discarded(desk: Desk) -> Batch:
    """Discarded, one of them left out because somebody else was first."""
    ids = await desk.parked(3)
    batch = await desk.order(kind="discard", pace=0.5)
    await batch.until(lambda report: report.decided > 0)
    await desk.handle(ids[2]).cancel()
    return batch


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        scenario.__name__: scenario
        for scenario in (
            redriven_after_canaries,
            paused_by_itself_and_resumed,
            paused_and_cancelled,
            cancelled_by_temporal,
            refused,
            discarded,
        )
    }
)


async def played(scenario: str, client: Client) -> WorkflowHistory:
    """The history of a scenario; each takes all that is parked."""
    address = client.service_client.config.target_host
    with tempfile.TemporaryDirectory() as directory:
        desk = Desk(client, address, configured(Path(directory), address))
        async with desk.working():
            batch = await SCENARIOS[scenario](desk)
            await batch.result()
            return await batch.handle.fetch_history()
