"""What the Temporal server holds a task queue to: reading it, and setting it live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from temporalio import activity
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue, TaskQueueConfig
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, UpdateTaskQueueConfigRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.unbroken import unbroken
from contracts.accounts import SET_QUEUE_RATE, QueueRate

log = structlog.get_logger(__name__)

_ACTIVITIES = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY


@dataclass(frozen=True, slots=True)
class LiveRate:
    """What was set live for a queue."""

    rate_per_second: float | None
    """None = nothing; then the limit of its workers counts."""
    reason: str
    weights: Mapping[str, float]


class QueueRates:
    """The activity by which an account sets its queue."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @activity.defn(name=SET_QUEUE_RATE)
    async def set_queue_rate(self, wanted: QueueRate) -> None:
        """Hold the queue to that rate and those weights from now on."""
        try:
            # Torn down half-way, it leaves the server refusing further changes of this queue for some seconds.
            await unbroken(set_queue_rate(self._client, wanted))
        except RPCError as error:
            if error.status is not RPCStatusCode.UNIMPLEMENTED:
                raise
            # An older server: there the workers' own option holds the rate, and each worker its part of a cooldown.
            log.warning("queue_rate_not_supported", queue=wanted.queue)


async def set_queue_rate(client: Client, wanted: QueueRate) -> None:
    """Set a queue's rate and weights; other weights are dropped. Raises `RPCError`."""
    known = (await read_queue_rate(client, wanted.queue)).weights
    request = UpdateTaskQueueConfigRequest(
        namespace=client.namespace,
        identity=client.identity,
        task_queue=wanted.queue,
        task_queue_type=_ACTIVITIES,
        set_fairness_weight_overrides=wanted.weights,
        unset_fairness_weight_overrides=[tenant for tenant in known if tenant not in wanted.weights],
    )
    request.update_queue_rate_limit.reason = wanted.reason
    if wanted.rate_per_second is not None:
        request.update_queue_rate_limit.rate_limit.requests_per_second = wanted.rate_per_second
    await client.workflow_service.update_task_queue_config(request)


async def read_queue_rate(client: Client, queue: str) -> LiveRate:
    """What was set live for a queue; raises `RPCError`."""
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=queue),
        task_queue_type=_ACTIVITIES,
        report_config=True,
    )
    config: TaskQueueConfig = (await client.workflow_service.describe_task_queue(request)).config
    limit = config.queue_rate_limit
    rate = limit.rate_limit.requests_per_second if limit.HasField("rate_limit") else None
    return LiveRate(rate, limit.metadata.reason, dict(config.fairness_weight_overrides))
