"""A bare workflow of one regular and one local activity that do nothing: the best this Temporal can do here."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

QUEUE, LANES, COUNT = "bare", 32, 1000
_LIMIT = timedelta(seconds=30)


@activity.defn
async def nothing() -> None:
    """Do nothing."""


@workflow.defn
class BareWorkflow:
    """One regular and one local activity, as the usual request has."""

    @workflow.run
    async def run(self) -> None:
        """Run both."""
        await workflow.execute_activity(nothing, start_to_close_timeout=_LIMIT)
        await workflow.execute_local_activity(nothing, start_to_close_timeout=_LIMIT)


async def bare_per_s(client: Client) -> float:
    """Bare workflows a second, with the worker in this process."""
    async with Worker(client, task_queue=QUEUE, workflows=[BareWorkflow], activities=[nothing]):
        lanes, begun = asyncio.Semaphore(LANES), time.perf_counter()

        async def one(number: int) -> None:
            async with lanes:
                await client.execute_workflow(BareWorkflow.run, id=f"bare-{number}", task_queue=QUEUE)

        await asyncio.gather(*(one(number) for number in range(COUNT)))
        return COUNT / (time.perf_counter() - begun)
