"""The workflow `store-retention`: one sweep of the store, started by a schedule, and the ledger put together."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from contracts import names
from contracts.retention import SweepOrder, SweepReport
from contracts.spend import CompactLedgerInput

LONGEST = timedelta(hours=21)
"""For all attempts of a sweep together: it has ended before the next one is due."""
HEARTBEAT = timedelta(minutes=3)


@workflow.defn(name=names.RETENTION_WORKFLOW)
class StoreRetentionWorkflow:
    """Has the store swept; what a failed attempt has done stays done."""

    @workflow.run
    async def run(self, order: SweepOrder) -> SweepReport:
        """Sweep once; raises `ActivityError` where the store or Temporal fail for most of a day."""
        report: SweepReport = await workflow.execute_activity(
            names.SWEEP,
            order,
            result_type=SweepReport,
            task_queue=names.MAINTENANCE_QUEUE,
            schedule_to_close_timeout=LONGEST,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RetryPolicy(initial_interval=timedelta(seconds=10), maximum_interval=timedelta(minutes=10)),
            summary="dry run of a sweep" if order.dry_run else "sweep the store",
        )
        if not order.dry_run:
            await self._compact_ledger()
        return report

    @staticmethod
    async def _compact_ledger() -> None:
        await workflow.execute_activity(
            names.COMPACT_LEDGER,
            CompactLedgerInput(),
            task_queue=names.MAINTENANCE_QUEUE,
            schedule_to_close_timeout=timedelta(hours=1),
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RetryPolicy(initial_interval=timedelta(seconds=10), maximum_interval=timedelta(minutes=10)),
            summary="put the spend ledger's finished days together",
        )
