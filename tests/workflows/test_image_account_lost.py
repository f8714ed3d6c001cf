"""Holders that have ended without a word are looked for, while others wait; the minute until then is skipped."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.slot_holders import SlotHolders
from contracts import names
from contracts.accounts import SET_QUEUE_RATE, QueueRate
from runtime.temporal import DATA_CONVERTER
from tests.workflows.accounts_at_work import fresh
from tests.workflows.asker import AskerWorkflow
from workflows import ImageAccountWorkflow, sandbox
from workflows.account_slots import LOOK_S

BINARY = Path(sys.executable).parent / "temporal-test-server"


@activity.defn(name=SET_QUEUE_RATE)
async def set_queue_rate(_wanted: QueueRate) -> None:
    """The server that skips time knows no queue rates."""


async def test_the_slot_of_a_terminated_holder_is_found_while_others_wait() -> None:
    environment = await WorkflowEnvironment.start_time_skipping(
        data_converter=DATA_CONVERTER, test_server_existing_path=str(BINARY)
    )
    async with environment:
        client, queue = environment.client, names.WORKFLOW_QUEUE
        kinds: list[type] = [ImageAccountWorkflow, AskerWorkflow]
        own: list[Callable[..., Any]] = [SlotHolders(client).find_lost_holders, set_queue_rate]
        async with (
            Worker(client, task_queue=queue, workflows=kinds, workflow_runner=sandbox()),
            Worker(client, task_queue=names.MAINTENANCE_QUEUE, activities=own),
        ):
            site = await fresh(client).start(concurrency=1)
            lost = await site.ask(queue, expires_s=100_000)
            await site.until(lambda status: len(status.held) == 1)
            waiter = await site.ask(queue)
            await site.until(lambda status: status.waiting == 1)
            await lost.terminate()
            await environment.sleep(LOOK_S + 5)
            status = await site.until(lambda status: [one.workflow_id for one in status.held] == [waiter.id])
    assert any("its holder has ended" in line for line in status.log)
