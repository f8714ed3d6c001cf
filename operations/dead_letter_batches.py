"""Ordering a batch, asking how it stands, and changing its course."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import Priority, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from contracts.dead_letter_batches import (
    MEMO_BATCH,
    PROGRESS,
    RESUME,
    BatchReport,
    BatchState,
    Phase,
    batch_id,
    report_of,
)
from contracts.dead_letter_orders import BatchCommand, BatchOrder
from contracts.names import DEAD_LETTER_BATCH_WORKFLOW, WORKFLOW_QUEUE
from runtime.updates import execute_update
from starter.api.executions import RequestError, Way

QUERY_S = 2.0
"""Seconds a worker has to tell how a batch stands."""
UPDATE_S = 3.0
"""Seconds a worker has to take a command before it goes by Signal."""
_LISTED = f'WorkflowType = "{DEAD_LETTER_BATCH_WORKFLOW}"'


class BatchRefusedError(RequestError):
    """A batch cannot be ordered, or not be treated so. The message says what to do."""


async def order_batch(client: Client, order: BatchOrder) -> None:
    """Start a batch; raises `BatchRefusedError` where its name is taken, `RPCError`."""
    try:
        await client.start_workflow(
            DEAD_LETTER_BATCH_WORKFLOW,
            BatchState(order=order),
            id=batch_id(order.name),
            task_queue=WORKFLOW_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            memo={MEMO_BATCH: report_of(BatchState(order=order), with_log=False).model_dump(mode="json")},
            static_summary=f"{order.kind} dead letters ({order.chosen.words()}) by {order.by}: {order.reason}"[:200],
            # An operator waits for it, and it floods the queue with the tasks of requests.
            priority=Priority(priority_key=1),
        )
    except WorkflowAlreadyStartedError:
        name = order.name
        message = f"there is a batch {name} already: look at it with: orchestrator dead-letters batch show {name}"
        raise BatchRefusedError(message) from None


async def batch_report(client: Client, name: str) -> tuple[BatchReport, bool]:
    """How a batch stands, and whether that is up to date: without a worker it is what the memo tells.

    Raises `BatchRefusedError` where there is none, `RPCError`.
    """
    handle = _handle(client, name)
    found = await _found(handle, name)
    if found.close_time is not None:
        return await _result(handle, found), True
    try:
        async with asyncio.timeout(QUERY_S):
            told: BatchReport = await handle.query(PROGRESS, result_type=BatchReport)
    except (TimeoutError, RPCError, WorkflowQueryFailedError):
        return await _noted(found), False
    return told, True


async def command_batch(client: Client, name: str, command: str, words: BatchCommand) -> Way:
    """Pause, resume or cancel; raises `BatchRefusedError`, `RPCError`."""
    handle = _handle(client, name)
    await _check_open(handle, name)
    try:
        async with asyncio.timeout(UPDATE_S):
            await execute_update(handle, command, [words])
    except WorkflowUpdateFailedError as error:
        raise BatchRefusedError(f"{name}: {getattr(error.cause, 'message', error.cause)}") from None
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
        return await _signal(handle, name, command, words)
    return Way.UPDATE


async def batches(client: Client) -> AsyncIterator[BatchReport]:
    """All batches that Temporal still knows, newest first, without a worker; raises `RPCError`."""
    async for execution in client.list_workflows(_LISTED):
        noted = await execution.memo_value(MEMO_BATCH, None)
        if noted:
            yield BatchReport.model_validate(noted)


async def _signal(handle: WorkflowHandle[Any, Any], name: str, command: str, words: BatchCommand) -> Way:
    if command == RESUME:
        raise BatchRefusedError(f"{name}: no worker answered; start one, then resume")
    await handle.signal(command, words)
    return Way.SIGNAL


async def _check_open(handle: WorkflowHandle[Any, Any], name: str) -> None:
    if (await _found(handle, name)).close_time is not None:
        raise BatchRefusedError(f"{name} has ended: see it with: orchestrator dead-letters batch show {name}")


async def _found(handle: WorkflowHandle[Any, Any], name: str) -> WorkflowExecutionDescription:
    try:
        return await handle.describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            message = f"there is no batch {name}: list them with: orchestrator dead-letters batches"
            raise BatchRefusedError(message) from None
        raise


async def _result(handle: WorkflowHandle[Any, Any], found: WorkflowExecutionDescription) -> BatchReport:
    try:
        report: BatchReport = await handle.result()
    except WorkflowFailureError:
        # Terminated, or broken: what it has noted last is all there is.
        return (await _noted(found)).model_copy(update={"phase": Phase.ENDED})
    return report


async def _noted(found: WorkflowExecutionDescription) -> BatchReport:
    return BatchReport.model_validate(await found.memo_value(MEMO_BATCH))


def _handle(client: Client, name: str) -> WorkflowHandle[Any, Any]:
    return client.get_workflow_handle(batch_id(name), result_type=BatchReport)
