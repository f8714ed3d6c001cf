"""Scenarios of the scheduled chores: each plays one run with self-written activities under the real names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import uuid4

from temporalio import activity
from temporalio.client import Client, WorkflowHistory
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from contracts import names
from contracts.reconciliation import (
    Comparison,
    Finding,
    Kind,
    ReconcileOrder,
    ReconcilePlan,
    ReconcileTask,
    Repair,
    Repaired,
    RepairOrder,
)
from contracts.requests import DeliverInput, Delivery, DeliveryReceipt, ImageOutcome, RequestReference
from contracts.retention import SweepOrder, SweepReport
from contracts.spend import CompactLedgerInput
from tests.workflows.harness import IMAGES, POLICY
from workflows import WORKFLOWS, sandbox

ODOO, SILENT = "main", "silent"
"""An Odoo with something to repair, and one that cannot be asked."""


@activity.defn(name=names.SWEEP)
async def sweep(order: SweepOrder) -> SweepReport:
    return SweepReport(dry_run=order.dry_run, images_deleted=3)


@activity.defn(name=names.COMPACT_LEDGER)
async def compact(_order: CompactLedgerInput) -> None:
    return None


@activity.defn(name=names.PLAN_RECONCILIATION)
async def plan(order: ReconcileOrder) -> ReconcilePlan:
    given: dict[str, Any] = {"since_s": 60.0, "grace_s": 0.0, "batch": 10, "repair": True, "repairs": 10}
    odoos = order.odoos or (ODOO, SILENT)
    return ReconcilePlan(tasks=tuple(ReconcileTask(odoo=odoo, database=f"db-{odoo}", **given) for odoo in odoos))


@activity.defn(name=names.COMPARE_WITH_ODOO)
async def compare(task: ReconcileTask) -> Comparison:
    if task.odoo == SILENT:
        raise ApplicationError("no answer", non_retryable=True)
    found = tuple(
        Finding(kind=kind, request_id=kind, detail="differs", repair=repair)
        for kind, repair in ((Kind.NEVER_STARTED, Repair.RESEND), (Kind.NEVER_DELIVERED, Repair.REDELIVER))
    )
    return Comparison(asked=2, handled=2, counts=dict.fromkeys((one.kind for one in found), 1), findings=found)


@activity.defn(name=names.REPAIR_FINDING)
async def repair(order: RepairOrder) -> Repaired:
    if order.finding.repair is Repair.RESEND:
        return Repaired(done=True, said="sent again")
    return Repaired(done=True, said="posted again", letter=_letter(order.task.odoo))


@activity.defn(name=names.DELIVER)
async def deliver(_letter: DeliverInput) -> DeliveryReceipt:
    return DeliveryReceipt(http_status=200)


def _letter(odoo: str) -> DeliverInput:
    return DeliverInput(
        reference=RequestReference(request_id="r-1", dialect="event"),
        route="event",
        odoo=odoo,
        outcome=ImageOutcome(generated=IMAGES),
        delivery=Delivery(number=1, envelope="plain", images="inline", expires_at=0),
        policy=POLICY,
        traceparent=f"00-{'1' * 32}-{'2' * 16}-01",
    )


@asynccontextmanager
async def _working(client: Client) -> AsyncIterator[None]:
    """Workers for all that is played here."""
    served: Mapping[str, list[Callable[..., Any]]] = {
        names.MAINTENANCE_QUEUE: [sweep, compact, plan, compare, repair],
        names.callbacks_queue(ODOO): [deliver],
    }
    async with AsyncExitStack() as stack:
        workflows = Worker(client, task_queue=names.WORKFLOW_QUEUE, workflows=WORKFLOWS, workflow_runner=sandbox())
        await stack.enter_async_context(workflows)
        for queue, activities in served.items():
            await stack.enter_async_context(Worker(client, task_queue=queue, activities=activities))
        yield


async def _run(client: Client, workflow: str, order: object) -> WorkflowHistory:
    async with _working(client):
        handle = await client.start_workflow(
            workflow, order, id=f"{workflow}-{uuid4()}", task_queue=names.WORKFLOW_QUEUE
        )
        await handle.result()
    return await handle.fetch_history()


async def swept(client: Client) -> WorkflowHistory:
    return await _run(client, names.RETENTION_WORKFLOW, SweepOrder())


async def rehearsed(client: Client) -> WorkflowHistory:
    return await _run(client, names.RETENTION_WORKFLOW, SweepOrder(dry_run=True))


async def repaired(client: Client) -> WorkflowHistory:
    """One Odoo, so that its database becomes a search attribute; two repairs, of which one posts a callback."""
    return await _run(client, names.RECONCILIATION_WORKFLOW, ReconcileOrder(odoos=(ODOO,)))


async def one_of_two_silent(client: Client) -> WorkflowHistory:
    """An Odoo that cannot be asked stops no other."""
    return await _run(client, names.RECONCILIATION_WORKFLOW, ReconcileOrder())
