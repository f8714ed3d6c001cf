"""Negative control: the same commands in the same order, one of them with another option in a helper."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from contracts import names
from contracts.retention import SweepOrder, SweepReport
from workflows import StoreRetentionWorkflow
from workflows.store_retention import LONGEST


@workflow.defn(name=names.RETENTION_WORKFLOW)
class ImpatientRetention(StoreRetentionWorkflow):
    """Gives a sweep a second between heartbeats."""

    @workflow.run
    async def run(self, order: SweepOrder) -> SweepReport:
        report: SweepReport = await _sweep(order)
        if not order.dry_run:
            await self._compact_ledger()
        return report


async def _sweep(order: SweepOrder) -> SweepReport:
    report: SweepReport = await workflow.execute_activity(
        names.SWEEP,
        order,
        result_type=SweepReport,
        task_queue=names.MAINTENANCE_QUEUE,
        schedule_to_close_timeout=LONGEST,
        heartbeat_timeout=timedelta(seconds=1),
        retry_policy=RetryPolicy(initial_interval=timedelta(seconds=10), maximum_interval=timedelta(minutes=10)),
        summary="dry run of a sweep" if order.dry_run else "sweep the store",
    )
    return report
