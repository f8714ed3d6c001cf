"""Negative control: a watch that decides otherwise than the real one. Replay must refuse it."""

from __future__ import annotations

from temporalio import workflow

from contracts import names
from contracts.alerts import AlertsState
from workflows import AlertsWorkflow


@workflow.defn(name=names.ALERTS_WORKFLOW)
class EagerAlerts(AlertsWorkflow):
    """Writes its memo once more."""

    @workflow.init
    def __init__(self, state: AlertsState) -> None:
        super().__init__(state)

    @workflow.run
    async def run(self, state: AlertsState) -> None:
        workflow.upsert_memo({"more": True})
        await super().run(state)
