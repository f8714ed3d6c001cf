"""Task queues: whether somebody works on each, and whether they are held to what is configured."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Mapping

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from contracts import names
from operations.doctor.finding import Finding, fail, ok, warn
from operations.doctor.namespace import Namespace
from operations.limits import LimitsShown, show_limits
from runtime.settings import Settings

_WORKFLOWS = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
_ACTIVITIES = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY


def queues_of(settings: Settings) -> dict[str, TaskQueueType.ValueType]:
    """Every task queue that a worker with these settings serves."""
    activities = [
        names.MAINTENANCE_QUEUE,
        *map(names.images_queue, settings.services),
        *map(names.jobs_queue, settings.services),
        *map(names.callbacks_queue, settings.odoos),
    ]
    return {names.WORKFLOW_QUEUE: _WORKFLOWS, **dict.fromkeys(activities, _ACTIVITIES)}


async def look_at_workers(namespace: Namespace) -> list[Finding]:
    """Who polls which queue."""
    queues = queues_of(namespace.settings)
    counts = await asyncio.gather(*(_pollers(namespace.client, queue, kind) for queue, kind in queues.items()))
    return list(workers_verdict(dict(zip(queues, counts, strict=True))))


async def _pollers(client: Client, queue: str, kind: TaskQueueType.ValueType) -> int:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
    )
    pollers = (await client.workflow_service.describe_task_queue(request)).pollers
    return len({poller.identity for poller in pollers})


def workers_verdict(pollers: Mapping[str, int]) -> Iterable[Finding]:
    """What it means that each queue has so many workers."""
    idle = [queue for queue, count in pollers.items() if not count]
    if len(idle) == len(pollers):
        yield fail("workers", "no worker runs: requests are taken and wait", "start `orchestrator worker`")
    elif idle:
        for queue in idle:
            fact = f"nobody works on the queue {queue}: its requests wait"
            yield fail("workers", fact, "restart the workers with this configuration")
    else:
        yield ok("workers", f"{len(pollers)} queues, each with {min(pollers.values())} or more workers")


async def look_at_limits(namespace: Namespace) -> list[Finding]:
    """What each service and Odoo is held to."""
    shown = await show_limits(namespace.client, namespace.settings, time.time())
    return [limits_verdict(one) for one in shown]


def limits_verdict(shown: LimitsShown) -> Finding:
    """What it means that a service or an Odoo stands so."""
    subject = f"limits {shown.name}"
    if shown.state == "not started":
        return warn(subject, "are not in the namespace yet", "run `orchestrator bootstrap`, or start a worker")
    if shown.state != "in service":
        return warn(subject, f"{shown.kind} {shown.name}: {shown.state}", "see `orchestrator limits show --log`")
    undo = f"orchestrator limits clear {shown.name}" + (" --odoo" if shown.kind == "odoo" else "")
    rates = f"{_rate(shown.live_rate)}; configured: {_rate(shown.configured_rate)}"
    if not _alike(shown.live_rate, shown.configured_rate):
        remedy = f"`{undo}` goes back, `orchestrator bootstrap` sets what is missing"
        return warn(subject, f"Temporal holds the queue to {rates}", remedy)
    if shown.live_concurrency is not None:
        fact = f"{shown.live_concurrency} calls at once, set live; configured: {shown.configured_concurrency}"
        return warn(subject, fact, f"`{undo}` goes back")
    return ok(subject, f"in force: {_rate(shown.configured_rate)}")


def _alike(one: float | None, other: float | None) -> bool:
    # The server keeps single precision.
    return one == other if one is None or other is None else math.isclose(one, other, rel_tol=1e-5)


def _rate(value: float | None) -> str:
    return "no rate limit" if value is None else f"{value:g} a second"
