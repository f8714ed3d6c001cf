"""A request as an account sees it."""

from __future__ import annotations

from temporalio import workflow

from contracts import names
from contracts.accounts import Acquire, Granted, Release
from contracts.model import Frozen


class Ask(Frozen):
    """What the asker asks for."""

    service: str
    tenant: str | None = None
    priority: int = 3
    expires_s: float = 60


@workflow.defn
class AskerWorkflow:
    """Asks, holds the slot until it is told to go, gives it back."""

    def __init__(self) -> None:
        self._granted_at = 0.0
        self._grants = 0
        self._gone = False

    @workflow.run
    async def run(self, ask: Ask) -> float:
        info = workflow.info()
        account = workflow.get_external_workflow_handle(names.account_id(ask.service))
        asked = Acquire(
            workflow_id=info.workflow_id, run_id=info.run_id, lease=info.run_id, **ask.model_dump(exclude={"service"})
        )
        await account.signal(names.ACQUIRE_SLOT, asked)
        await workflow.wait_condition(lambda: self._gone)
        await account.signal(names.RELEASE_SLOT, Release(lease=info.run_id))
        return self._granted_at

    @workflow.signal(name=names.SLOT_GRANTED)
    def take(self, granted: Granted) -> None:
        self._grants += 1
        self._granted_at = self._granted_at or workflow.time()

    @workflow.signal
    def go(self) -> None:
        self._gone = True

    @workflow.query
    def grants(self) -> int:
        return self._grants
