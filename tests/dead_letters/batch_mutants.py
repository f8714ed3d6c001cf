"""Negative control: a batch that does otherwise than the real one. Replay must refuse it."""

from __future__ import annotations

from temporalio import workflow

from contracts import names
from contracts.dead_letter_batches import BatchReport, BatchState
from workflows import DeadLetterBatchWorkflow


@workflow.defn(name=names.DEAD_LETTER_BATCH_WORKFLOW)
class EagerBatch(DeadLetterBatchWorkflow):
    """Writes its memo once more."""

    @workflow.init
    def __init__(self, state: BatchState) -> None:
        super().__init__(state)

    @workflow.run
    async def run(self, state: BatchState) -> BatchReport:
        workflow.upsert_memo({"more": True})
        return await super().run(state)
