"""Negative controls: each workflow beside the requests, writing its memo once more. Replay must refuse each of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from temporalio import workflow

from contracts import names
from contracts.accounts import Account
from contracts.alerts import AlertsState
from contracts.dead_letter_batches import BatchReport, BatchState
from contracts.reconciliation import ReconcileOrder, ReconcileReport
from contracts.retention import SweepOrder, SweepReport
from workflows import (
    AlertsWorkflow,
    DeadLetterBatchWorkflow,
    ImageAccountWorkflow,
    ReconciliationWorkflow,
    StoreRetentionWorkflow,
)


@workflow.defn(name=names.ACCOUNT_WORKFLOW)
class EagerAccount(ImageAccountWorkflow):
    @workflow.init
    def __init__(self, account: Account) -> None:
        super().__init__(account)

    @workflow.run
    async def run(self, account: Account) -> None:
        workflow.upsert_memo({"more": True})
        await super().run(account)


@workflow.defn(name=names.DEAD_LETTER_BATCH_WORKFLOW)
class EagerBatch(DeadLetterBatchWorkflow):
    @workflow.init
    def __init__(self, state: BatchState) -> None:
        super().__init__(state)

    @workflow.run
    async def run(self, state: BatchState) -> BatchReport:
        workflow.upsert_memo({"more": True})
        return await super().run(state)


@workflow.defn(name=names.ALERTS_WORKFLOW)
class EagerAlerts(AlertsWorkflow):
    @workflow.init
    def __init__(self, state: AlertsState) -> None:
        super().__init__(state)

    @workflow.run
    async def run(self, state: AlertsState) -> None:
        workflow.upsert_memo({"more": True})
        await super().run(state)


@workflow.defn(name=names.RETENTION_WORKFLOW)
class EagerRetention(StoreRetentionWorkflow):
    @workflow.run
    async def run(self, order: SweepOrder) -> SweepReport:
        workflow.upsert_memo({"more": True})
        return await super().run(order)


@workflow.defn(name=names.RECONCILIATION_WORKFLOW)
class EagerReconciliation(ReconciliationWorkflow):
    @workflow.run
    async def run(self, order: ReconcileOrder) -> ReconcileReport:
        workflow.upsert_memo({"more": True})
        return await super().run(order)


EAGER: Mapping[str, type] = MappingProxyType(
    {
        names.ACCOUNT_WORKFLOW: EagerAccount,
        names.DEAD_LETTER_BATCH_WORKFLOW: EagerBatch,
        names.ALERTS_WORKFLOW: EagerAlerts,
        names.RETENTION_WORKFLOW: EagerRetention,
        names.RECONCILIATION_WORKFLOW: EagerReconciliation,
    }
)
"""The control of each workflow."""
