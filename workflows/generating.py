"""Having the images of a request made: by its service, or by the next one that can take it."""

from __future__ import annotations

from collections.abc import Callable

from temporalio import workflow

from contracts.errors import Failure, FailureClass, Retry
from contracts.requests import GeneratedImages, GenerateInput, Generation, ImageGenerationInput, ImageRequest
from workflows import measuring, record, steps
from workflows.jobs import Doorbell, finish
from workflows.slots import Slots
from workflows.steps import StepFailedError

SEED_LIMIT = 2**31
"""Seeds of another try stay below: every service takes them."""
LOST_JOBS = 3
"""Jobs that may be lost one after the other until a person is asked, where the policy allows new calls."""
_NOT_SERVED = frozenset(
    {
        FailureClass.CONNECT_FAILED,
        FailureClass.PROVIDER_OVERLOADED,
        FailureClass.PROVIDER_INTERNAL,
        FailureClass.CONCURRENCY_LIMITED,
    }
)
"""What another service may do better. Refused content and invalid requests are refused everywhere."""


class Studio:
    """Where the images of one request are made."""

    def __init__(self, order: ImageGenerationInput, note: Callable[[str], None]) -> None:
        self._order = order
        self._note = note
        self._slots = Slots(order)
        self._bell = Doorbell()
        self._void_job: str | None = None

    async def make(self, request: ImageRequest, service: str, generation: int) -> GeneratedImages:
        """The images, by `service` or by the first after it that is not overloaded; raises `StepFailedError`."""
        services = self._in_turn(service)
        for position, name in enumerate(services):
            last = position == len(services) - 1
            try:
                made = await self._make_with(request, name, generation, last=last)
            except StepFailedError as failed:
                self._note(f"{name} failed: {failed.failure.failure}: {failed.failure.message}")
                if last or not _may_fail_over(failed.failure):
                    raise
                self._note(f"{name} cannot serve now: {services[position + 1]} is asked instead")
                record.served_by(services[position + 1])
            else:
                measuring.image_made(self._order, name)
                return made.model_copy(update={"tried": services[:position]}) if position else made
        raise AssertionError  # one service at least is asked, and the last one returns or raises

    def _in_turn(self, service: str) -> tuple[str, ...]:
        return (service, *(name for name in self._order.failover if name != service))

    async def _make_with(self, request: ImageRequest, service: str, generation: int, *, last: bool) -> GeneratedImages:
        call = steps.generate_input(self._order, request, service, generation, failover=not last)
        call = call.model_copy(update={"void_job": self._void_job})
        async with self._slots.held(service):
            return await self._made(call)

    async def _made(self, call: GenerateInput) -> GeneratedImages:
        for _ in range(LOST_JOBS):
            try:
                return await self._made_once(call)
            except StepFailedError as failed:
                if failed.failure.lost_call is None:
                    raise
                self._note(f"{call.service} has lost the job, and its policy allows another call")
                call = call.model_copy(update={"lost_call": failed.failure.lost_call})
        return await self._made_once(call)

    async def _made_once(self, call: GenerateInput) -> GeneratedImages:
        made = await self._submitted(call)
        if made.generated is not None:
            return made.generated
        job = steps.job_input(self._order, call, made)
        try:
            return await finish(job, self._bell)
        except StepFailedError as failed:
            if failed.failure.unpaid:
                self._void_job = job.job.job_id
            raise

    async def _submitted(self, call: GenerateInput) -> Generation:
        try:
            return await steps.submit(call)
        except StepFailedError as failed:
            gave_up_early = call.failover and failed.failure.rule.retry is Retry.BACKOFF
            if not gave_up_early or _may_fail_over(failed.failure):
                raise
        # Perhaps something was paid for here, so no other service can be asked: then with all patience.
        return await steps.submit(steps.patiently(self._order, call))


def _may_fail_over(failure: Failure) -> bool:
    return failure.failure in _NOT_SERVED and bool(failure.unpaid)


def other_seed(request: ImageRequest) -> ImageRequest:
    """The same request with another seed."""
    return request.model_copy(update={"seed": workflow.random().randrange(SEED_LIMIT)})
