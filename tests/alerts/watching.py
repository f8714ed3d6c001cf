"""The watch at work: the workflow `alerts` with its real activities, on a Temporal server of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker

from activities.alerts import AlertActivities, ensure_alerts
from activities.queue_rates import QueueRates
from activities.slot_holders import SlotHolders
from contracts import names
from contracts.alert_board import Board
from operations.alerts import read_board
from runtime.configuration import load_settings
from runtime.settings import Settings
from tests.operations.commandline import CommandLine
from workflows import WORKFLOWS, sandbox

SOON = {"interval_s": 0.2, "group_s": 0, "settle_s": 0}
"""Shorter than the settings allow, so that a test takes seconds."""


def write_channels(line: CommandLine, **urls: str) -> None:
    """Configure channels by their URLs, which stand in files."""
    text = line.config.read_text(encoding="utf-8")
    for name, url in urls.items():
        (line.directory / f"{name}.url").write_text(url, encoding="utf-8")
        text += f'[alerts.channels.{name}]\nurl = "file:{line.directory / name}.url"\ntimeout_s = 5\n'
    line.config.write_text(text, encoding="utf-8")


def soon(line: CommandLine, **changes: Any) -> Settings:
    """The settings of the command line with short times."""
    settings = load_settings(line.config)
    return settings.model_copy(update={"alerts": settings.alerts.model_copy(update={**SOON, **changes})})


@dataclass(frozen=True)
class Site:
    """What a test does with the watch."""

    client: Client

    async def until(self, true: Callable[[Board], bool]) -> Board:
        """Wait until the board says so."""
        async with asyncio.timeout(30):
            while True:
                board = await read_board(self.client)
                if board is not None and true(board):
                    return board
                await asyncio.sleep(0.05)

    async def looks(self, count: int = 3) -> None:
        """Wait until there were so many looks more."""
        handle = self.client.get_workflow_handle(names.ALERTS_WORKFLOW)

        async def looked() -> int:
            history = await handle.fetch_history()
            kinds = [event.activity_task_scheduled_event_attributes.activity_type.name for event in history.events]
            return kinds.count(names.OBSERVE)

        before = await looked()
        async with asyncio.timeout(30):
            while await looked() < before + count:
                await asyncio.sleep(0.1)


@asynccontextmanager
async def watching(client: Client, settings: Settings, also: Iterable[Any] = ()) -> AsyncIterator[Site]:
    """A worker of the maintenance queue that watches by these settings; the watch ends with it."""
    activities = AlertActivities(settings, client)
    own: list[Any] = [activities.observe, activities.send_alert, *also]
    own += [QueueRates(client).set_queue_rate, SlotHolders(client).find_lost_holders]
    assert await ensure_alerts(client, settings)
    try:
        async with Worker(client, task_queue=names.MAINTENANCE_QUEUE, activities=own):
            yield Site(client)
    finally:
        await client.get_workflow_handle(names.ALERTS_WORKFLOW).terminate("the test is over")


@asynccontextmanager
async def workflow_worker(client: Client) -> AsyncIterator[None]:
    """A worker of workflows alone."""
    async with Worker(client, task_queue=names.WORKFLOW_QUEUE, workflows=WORKFLOWS, workflow_runner=sandbox()):
        yield


def secrets_of(directory: Path) -> list[str]:
    """What stands in the files of the channels."""
    return [file.read_text(encoding="utf-8") for file in directory.glob("*.url")]
