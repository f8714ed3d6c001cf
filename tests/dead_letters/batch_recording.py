"""Records histories of `dead-letter-batch`: `python -P -m tests.dead_letters.batch_recording`. Each once, for ever."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from temporalio.client import Client, WorkflowHistory

from contracts import names
from contracts.dead_letter_batches import CANCEL, PAUSE, RESUME
from contracts.dead_letter_orders import BatchCommand
from runtime.temporal import DATA_CONVERTER
from tests.dead_letters.desk import Batch, Desk
from tests.dead_letters.desk_worker import HOPELESS
from tests.operations.commandline import configured
from tests.replay.histories import Library
from tests.replay.recording import NEVER_RECORDED, check_clean, release
from tests.replay.site import IDENTITY
from tests.temporal_server import running_server

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
    await batch.handle.execute_update(RESUME, COMMAND)
    return batch


async def paused_and_cancelled(desk: Desk) -> Batch:
    """A person pauses and cancels amid the decisions."""
    await desk.parked(4)
    desk.give("credit")
    batch = await desk.order(pace=0.5)
    await batch.until(lambda report: report.decided > 0)
    await batch.handle.execute_update(PAUSE, COMMAND)
    await batch.handle.execute_update(CANCEL, COMMAND)
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


async def record() -> list[str]:
    """Record the scenarios that no release has; returns their names."""
    library, version = Library(workflow=names.DEAD_LETTER_BATCH_WORKFLOW), release()
    chosen = library.missing(SCENARIOS)
    with tempfile.TemporaryDirectory() as directory:
        async with running_server(Path(directory)) as address:
            client = await Client.connect(address, data_converter=DATA_CONVERTER, identity=IDENTITY)
            # One after the other: each takes all that is parked.
            played = [await _played(client, address, name, Path(directory) / name) for name in chosen]
    for name, history in zip(chosen, played, strict=True):
        check_clean(name, history, NEVER_RECORDED)
    for name, history in zip(chosen, played, strict=True):
        library.add(library.file(name, version), history.to_json() + "\n")
    return chosen


def _desk(client: Client, address: str, directory: Path) -> Desk:
    directory.mkdir()
    return Desk(client, address, configured(directory, address))


async def _played(client: Client, address: str, name: str, directory: Path) -> WorkflowHistory:
    desk = _desk(client, address, directory)
    async with desk.working():
        batch = await SCENARIOS[name](desk)
        await batch.result()
        history = await batch.handle.fetch_history()
    await desk.clear()
    return history


if __name__ == "__main__":
    asyncio.run(record())
