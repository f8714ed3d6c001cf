"""The workers are built by the settings."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from temporalio.client import Client

from activities import Activities
from contracts import names
from runtime.blobs import LocalBlobStore
from runtime.settings import Settings, WorkerSettings
from worker import build_workers


async def test_the_worker_of_the_workflows_begins_no_more_tasks_than_it_is_told(
    temporal_client: Client, tmp_path: Path
) -> None:
    settings = Settings(worker=WorkerSettings(workflow_tasks=2, workflow_cache=10))
    activities = Activities(settings, LocalBlobStore(tmp_path), temporal_client)
    async with AsyncExitStack() as stack:
        # Run, and so ended: one that was only built keeps its place with the client, and others could not work there.
        workers = [
            await stack.enter_async_context(built) for built in build_workers(temporal_client, settings, activities)
        ]
    await activities.aclose()
    workflows, *others = workers
    assert workflows.task_queue == names.WORKFLOW_QUEUE
    told = workflows.config()
    assert (told["max_concurrent_workflow_tasks"], told["max_cached_workflows"]) == (2, 10)
    assert [other.task_queue for other in others] == [names.MAINTENANCE_QUEUE]
