"""What has to be looked at to be known: dead letters, queues, accounts. Every worker looks, and only reads.

Each worker reports the same values of the same installation, so a query takes the highest, `max by (...)`. A single
observer would be one more process that can be down just when its numbers are needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial

import structlog
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.common import MetricGaugeFloat

from contracts import metrics, names
from contracts.accounts import MEMO_STANDING, AccountStatus, Standing
from runtime.metrics_readings import Reading, account_readings, dead_letter_readings, parked_letter, slot_readings
from runtime.settings import Settings

_log = structlog.get_logger(__name__)

PARKED = f'WorkflowType = "{names.WORKFLOW}" AND Stage = "parked" AND ExecutionStatus = "Running"'
PAGE = 1000
LIMIT = 50_000
"""Dead letters that one look counts at most."""
_LOOK_S = 60.0
_TELL_AT = 2
_Look = Callable[[], Awaitable[list[Reading]]]
_Line = tuple[metrics.Metric, tuple[tuple[str, str], ...]]
_WORKFLOWS, _ACTIVITIES = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY


@contextlib.asynccontextmanager
async def observing(client: Client, settings: Settings) -> AsyncIterator[None]:
    """Keep the observed gauges up to date while inside, where the worker has a metrics endpoint."""
    if settings.worker.metrics_bind is None:
        yield
        return
    task = asyncio.create_task(_observe(client, settings))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _observe(client: Client, settings: Settings) -> None:
    gauges, failures = _Gauges(client), Counter[str]()
    while True:
        for part, look in _parts(client, settings).items():
            try:
                async with asyncio.timeout(_LOOK_S):
                    gauges.show(part, await look())
            except Exception as error:  # noqa: BLE001 - whatever it is, the other parts and the next look go on
                failures[part] += 1
                # At the start of an installation an account may not be there yet.
                if failures[part] == _TELL_AT:
                    _log.warning("metrics_not_observed", part=part, reason=type(error).__name__)
            else:
                del failures[part]
        if not failures:
            gauges.show("all", [Reading(metrics.OBSERVED, {}, time.time())])
        await asyncio.sleep(settings.worker.metrics_interval_s)


class _Gauges:
    """A gauge keeps its last value for ever: what is gone is set to 0. What could not be read stays as it was."""

    def __init__(self, client: Client) -> None:
        runtime = client.service_client.config.runtime
        self._meter = runtime.metric_meter if runtime else None
        self._made: dict[str, MetricGaugeFloat] = {}
        self._shown: dict[str, set[_Line]] = {}

    def show(self, part: str, readings: Sequence[Reading]) -> None:
        new = {(one.metric, tuple(sorted(one.labels.items()))): one.value for one in readings}
        shown = self._shown.setdefault(part, set())
        for metric, labels in shown - new.keys():
            self._set(metric, dict(labels), 0.0)
        for (metric, labels), value in new.items():
            self._set(metric, dict(labels), value)
        shown.update(new)

    def _set(self, metric: metrics.Metric, labels: Mapping[str, str], value: float) -> None:
        if self._meter is None:
            return
        if metric.name not in self._made:
            self._made[metric.name] = self._meter.create_gauge_float(metric.name, metric.meaning)
        self._made[metric.name].set(value, dict(labels))


def _parts(client: Client, settings: Settings) -> dict[str, _Look]:
    queues = {f"queue {queue}": partial(_queue, client, queue, kind) for queue, kind in _queues(settings)}
    accounts = {
        f"account {name}": partial(_account, client, name, leased=service.concurrency is not None)
        for name, service in settings.services.items()
    }
    return {"dead letters": partial(_dead_letters, client, settings), **queues, **accounts}


async def _dead_letters(client: Client, settings: Settings) -> list[Reading]:
    executions = client.list_workflows(PARKED, page_size=PAGE, limit=LIMIT)
    return dead_letter_readings([await parked_letter(one, settings) async for one in executions], settings, time.time())


def _queues(settings: Settings) -> list[tuple[str, TaskQueueType.ValueType]]:
    services = [queue(name) for name in settings.services for queue in (names.images_queue, names.jobs_queue)]
    odoos = [names.callbacks_queue(name) for name in settings.odoos]
    activities = [(queue, _ACTIVITIES) for queue in (*services, *odoos, names.MAINTENANCE_QUEUE)]
    return [(names.WORKFLOW_QUEUE, _WORKFLOWS), *activities]


async def _queue(client: Client, queue: str, kind: TaskQueueType.ValueType) -> list[Reading]:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind, report_stats=True
    )
    found = await client.workflow_service.describe_task_queue(request)
    labels, stats = {"task_queue": queue}, found.stats
    return [
        Reading(metrics.BACKLOG, labels, stats.approximate_backlog_count),
        Reading(metrics.BACKLOG_AGE, labels, stats.approximate_backlog_age.ToTimedelta().total_seconds()),
        Reading(metrics.POLLERS, labels, len(found.pollers)),
    ]


async def _account(client: Client, service: str, *, leased: bool) -> list[Reading]:
    handle, now = client.get_workflow_handle(names.account_id(service)), time.time()
    standing = await (await handle.describe()).memo_value(MEMO_STANDING, None, type_hint=Standing)
    readings = account_readings(service, standing, now) if standing else []
    if not leased:
        return readings
    status: AccountStatus = await handle.query(names.STATUS, result_type=AccountStatus)
    return [*readings, *slot_readings(service, status)]
