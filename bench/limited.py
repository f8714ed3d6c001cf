"""A request as limits see it, for `bench/limits.py`: takes a slot where it must, makes one call, waits for its job."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import Priority

from contracts import names
from contracts.accounts import Acquire, Granted, Release
from contracts.model import Frozen

CALL = "call"


class Ask(Frozen):
    """One request."""

    service: str
    tenant: str = "a"
    leased: bool = False
    fair: bool = False
    """Whether its call carries the tenant as fairness key."""
    job_s: float = 0.0
    """Seconds that its job goes on after the call."""


@workflow.defn
class LimitedWorkflow:
    """One request."""

    def __init__(self) -> None:
        self._granted = False

    @workflow.run
    async def run(self, ask: Ask) -> None:
        """Take a slot, call, wait for the job, give the slot back."""
        info, account = workflow.info(), workflow.get_external_workflow_handle(names.account_id(ask.service))
        if ask.leased:
            acquire = Acquire(
                workflow_id=info.workflow_id, run_id=info.run_id, lease=info.run_id, tenant=ask.tenant, expires_s=600
            )
            await account.signal(names.ACQUIRE_SLOT, acquire)
            await workflow.wait_condition(lambda: self._granted)
        await workflow.execute_activity(
            CALL,
            ask,
            task_queue=names.images_queue(ask.service),
            start_to_close_timeout=timedelta(seconds=60),
            priority=Priority(fairness_key=ask.tenant) if ask.fair else Priority.default,
        )
        if ask.job_s:
            await workflow.sleep(ask.job_s)
        if ask.leased:
            await account.signal(names.RELEASE_SLOT, Release(lease=info.run_id))

    @workflow.signal(name=names.SLOT_GRANTED)
    def take(self, _granted: Granted) -> None:
        """The slot is ours."""
        self._granted = True
