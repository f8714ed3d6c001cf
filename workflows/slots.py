"""Leases of an image service's slots, where its concurrency is limited (workflow `image-account`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from contracts import names
from contracts.accounts import Acquire, Granted, Release
from contracts.errors import FailureClass, make_failure
from contracts.requests import ImageGenerationInput
from workflows.steps import StepFailedError

ASK_AGAIN_S = 10.0
"""Seconds between the tries to reach an account's workflow, which the workers start."""


class Slots:
    """The slots that one request waits for and holds."""

    def __init__(self, order: ImageGenerationInput) -> None:
        self._order = order
        self._granted: set[str] = set()
        self._leases = 0
        if order.leased:
            workflow.set_signal_handler(names.SLOT_GRANTED, self._take)

    @asynccontextmanager
    async def held(self, service: str) -> AsyncIterator[None]:
        """Hold a slot of that service; raises `StepFailedError` where none was free until the deadline."""
        if service not in self._order.leased:
            yield
            return
        self._leases += 1
        lease = f"{workflow.info().run_id}/{self._leases}"
        try:
            await self._wait_for(service, lease)
            yield
        finally:
            await _tell(service, names.RELEASE_SLOT, Release(lease=lease))

    async def _wait_for(self, service: str, lease: str) -> None:
        deadline_s = self._order.policies.generate.deadline_s
        end = workflow.time() + deadline_s
        while not await _tell(service, names.ACQUIRE_SLOT, self._acquire(lease)):
            if workflow.time() >= end:
                raise _no_slot(service, deadline_s)
            await workflow.sleep(ASK_AGAIN_S, summary=f"{service}: its limits are not served yet")
        try:
            await workflow.wait_condition(
                lambda: lease in self._granted,
                timeout=max(end - workflow.time(), ASK_AGAIN_S),
                timeout_summary=f"{service}: waits for a free slot",
            )
        except TimeoutError:
            raise _no_slot(service, deadline_s) from None

    def _acquire(self, lease: str) -> Acquire:
        order, info = self._order, workflow.info()
        policy = order.policies.generate
        return Acquire(
            workflow_id=info.workflow_id,
            run_id=info.run_id,
            lease=lease,
            tenant=order.tenant,
            priority=order.priority,
            expires_s=2 * (policy.deadline_s + policy.timeout_s),
        )

    def _take(self, granted: Granted) -> None:
        self._granted.add(granted.lease)


async def _tell(service: str, signal: str, message: Acquire | Release) -> bool:
    try:
        await workflow.get_external_workflow_handle(names.account_id(service)).signal(signal, message)
    except ApplicationError:
        workflow.logger.warning("account_not_reached", extra={"service": service, "signal": signal})
        return False
    return True


def _no_slot(service: str, seconds: float) -> StepFailedError:
    message = f"{service} had no free slot within {seconds:.0f} s"
    return StepFailedError(make_failure(FailureClass.CONCURRENCY_LIMITED, message, service=service, unpaid=True))
