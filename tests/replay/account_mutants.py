"""Negative control: an account that decides otherwise than the real one. Replay must refuse it."""

from __future__ import annotations

from temporalio import workflow

from contracts import names
from contracts.accounts import Account
from workflows import ImageAccountWorkflow


@workflow.defn(name=names.ACCOUNT_WORKFLOW)
class EagerAccount(ImageAccountWorkflow):
    """Writes its memo once more."""

    @workflow.init
    def __init__(self, account: Account) -> None:
        super().__init__(account)

    @workflow.run
    async def run(self, account: Account) -> None:
        workflow.upsert_memo({"more": True})
        await super().run(account)
