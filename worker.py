"""The worker: reads the settings, connects, runs one Temporal worker per task queue until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker

from activities import Activities, open_activities
from activities.attempts import BEAT_S
from contracts.names import WORKFLOW_QUEUE
from runtime.deployment import deployment_config
from runtime.settings import Settings
from workflows import WORKFLOWS, sandbox


def build_workers(client: Client, settings: Settings, activities: Activities) -> Iterator[Worker]:
    """The worker of the workflows, and one for each queue of activities."""
    yield Worker(
        client,
        task_queue=WORKFLOW_QUEUE,
        workflows=WORKFLOWS,
        activities=[activities.delivery.deliver_callback],
        workflow_runner=sandbox(),
        max_cached_workflows=settings.worker.workflow_cache,
        max_concurrent_workflow_tasks=settings.worker.workflow_tasks,
        deployment_config=deployment_config(settings.worker),
        # Local activities only: an eager or remote activity here would slip past its own queue's rate limit.
        no_remote_activities=True,
        disable_eager_activity_execution=True,
        graceful_shutdown_timeout=timedelta(seconds=5),
    )
    for queue in activities.queues():
        yield Worker(
            client,
            task_queue=queue.queue,
            activities=queue.activities,
            max_concurrent_activities=queue.slots,
            max_task_queue_activities_per_second=queue.rate_per_second,
            max_heartbeat_throttle_interval=timedelta(seconds=BEAT_S),
            graceful_shutdown_timeout=timedelta(seconds=settings.worker.shutdown_grace_s),
        )


async def run(client: Client, settings: Settings, stop: asyncio.Event) -> None:
    """Work until `stop` is set; then let calls in flight finish within the grace period."""
    activities = await open_activities(client, settings)
    workers = list(build_workers(client, settings, activities))
    running, stopping = [asyncio.create_task(worker.run()) for worker in workers], asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([*running, stopping], return_when=asyncio.FIRST_COMPLETED)
        await asyncio.gather(*(worker.shutdown() for worker in workers), *(done - {stopping}))
    finally:
        stopping.cancel()
        await activities.aclose()
