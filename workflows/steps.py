"""The steps of a request as activities: their inputs, timeouts and queues, and their failures as data."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception
from temporalio.exceptions import TimeoutError as ActivityTimeoutError

from contracts import names
from contracts.errors import Failure, FailureClass, make_failure
from contracts.identity import run_store_key
from contracts.model import Frozen
from contracts.policies import StepPolicy, backoff_s
from contracts.requests import (
    DeliverInput,
    Delivery,
    DeliveryReceipt,
    GeneratedImages,
    GenerateInput,
    Generation,
    ImageGenerationInput,
    ImageOutcome,
    ImageRequest,
    JobFinished,
    JobInput,
    ReadRecordInput,
    RecordRead,
    RecordReference,
)
from workflows import measuring

QUICK_S = 3.0
"""Seconds a callback may take inside the workflow's own worker; longer would hold up its workflow task."""
MARGIN_S = 30.0
"""Seconds an attempt gets beside its call, to store what came."""
CANCEL_S = 60.0
"""Seconds spent on cancelling a remote job before it is left alone."""

_T = TypeVar("_T", bound=Frozen)


class StepFailedError(Exception):
    """A step is given up, or its quick try failed."""

    def __init__(self, failure: Failure, retry_after_s: float | None = None) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.retry_after_s = retry_after_s


def generate_input(
    order: ImageGenerationInput, request: ImageRequest, service: str, generation: int, *, failover: bool
) -> GenerateInput:
    """The call that makes the images of one generation; with `failover` it gives up early, another service waits."""
    policy, early = order.policies.generate, order.policies.failover_attempts
    if failover and early is not None:
        policy = policy.model_copy(update={"attempts": min(policy.attempts or early, early)})
    return GenerateInput(
        reference=order.reference,
        route=order.route,
        service=service,
        request=request,
        # The first generation is shared with an expired run of the same id, so that it is not paid for again.
        store_key=order.store_key if generation == 1 else run_store_key(order.store_key, workflow.info().run_id),
        generation=generation,
        policy=policy,
        traceparent=order.traceparent,
        workflow_id=workflow.info().workflow_id,
        failover=failover,
        odoo=order.odoo,
    )


def letter(order: ImageGenerationInput, outcome: ImageOutcome, number: int) -> DeliverInput:
    """One delivery with everything that must not change between its attempts.

    Its image URLs outlive every attempt up to and including one parking by the route's validity.
    """
    policies = order.policies
    lifetime = policies.url_ttl_s + policies.deliver.deadline_s + policies.park_s
    total = sum(image.size for image in outcome.generated.images) if outcome.generated else 0
    return DeliverInput(
        reference=order.reference,
        route=order.route,
        odoo=order.odoo,
        callback_url=order.callback_url,
        outcome=outcome,
        delivery=Delivery(
            number=number,
            envelope=order.envelope,
            images="url" if policies.images == "url" or total > policies.inline_limit else "inline",
            expires_at=int(workflow.now().timestamp() + lifetime),
        ),
        policy=policies.deliver,
        traceparent=order.traceparent,
        record=order.record,
    )


async def read_record(order: ImageGenerationInput, record: RecordReference) -> RecordRead:
    """Complete the request from its record in Odoo; raises `StepFailedError`."""
    call = ReadRecordInput(
        reference=order.reference,
        route=order.route,
        odoo=order.odoo,
        record=record,
        request=order.request,
        policy=order.policies.deliver,
        traceparent=order.traceparent,
    )
    where = {"task_queue": names.callbacks_queue(order.odoo), "summary": f"read {record.model} from Odoo {order.odoo}"}
    return await _execute(names.READ_RECORD, call, RecordRead, call.policy, where)


async def submit(call: GenerateInput) -> Generation:
    """Have the images made and stored, or taken as a job; raises `StepFailedError`."""
    where = {"task_queue": names.images_queue(call.service), "summary": f"{call.service}: make the image"}
    return await _execute(names.GENERATE, call, Generation, call.policy, where)


def patiently(order: ImageGenerationInput, call: GenerateInput) -> GenerateInput:
    """The same call with the whole policy, as where nobody stands in."""
    return call.model_copy(update={"policy": order.policies.generate, "failover": False})


def job_input(order: ImageGenerationInput, call: GenerateInput, made: Generation) -> JobInput:
    """The job that a submit led to; raises `StepFailedError` where it led to nothing."""
    if made.job is None:
        raise StepFailedError(make_failure(FailureClass.INTERNAL, "the generation returned neither images nor a job"))
    return JobInput(call=patiently(order, call), job=made.job)


async def collect(job: JobInput) -> GeneratedImages:
    """Wait for a job and store its images in one step, as requests from before 0.2.0 do; raises `StepFailedError`."""
    service = job.call.service
    where = {"task_queue": names.images_queue(service), "summary": f"{service}: collect the image"}
    return await _execute(names.COLLECT, job, GeneratedImages, job.call.policy, where)


async def poll(job: JobInput) -> JobFinished:
    """Wait until the service has finished the job; raises `StepFailedError`."""
    return await _execute(names.POLL, job, JobFinished, job.call.policy, _at_no_cost(job, "wait for the job"))


async def store(job: JobInput) -> GeneratedImages:
    """Download and store what a job has made; raises `StepFailedError`."""
    return await _execute(names.STORE, job, GeneratedImages, job.call.policy, _at_no_cost(job, "store the image"))


async def cancel_job(job: JobInput) -> None:
    """Cancel a job at its service, as far as that can be had in a minute."""
    try:
        await workflow.execute_activity(
            names.CANCEL_JOB,
            job,
            schedule_to_close_timeout=timedelta(seconds=CANCEL_S),
            **_at_no_cost(job, "cancel the job"),
        )
    except ActivityError:
        lost = {"request_id": job.call.reference.request_id, "job_id": job.job.job_id}
        workflow.logger.warning("job_not_cancelled", extra=lost)


def _at_no_cost(job: JobInput, what: str) -> dict[str, Any]:
    service = job.call.service
    return {"task_queue": names.jobs_queue(service), "summary": f"{service}: {what}"}


async def deliver(call: DeliverInput) -> None:
    """Post the outcome until Odoo takes it; raises `StepFailedError`."""
    where: dict[str, Any] = {
        "task_queue": names.callbacks_queue(call.odoo),
        "summary": f"post the outcome to Odoo {call.odoo}",
    }
    # A post that is still on its way when the next outcome is sent could be applied after it.
    if workflow.patched("2026-11-await-callback"):
        where["cancellation_type"] = workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
    await _execute(names.DELIVER, call, DeliveryReceipt, call.policy, where)
    measuring.delivered(call)


async def deliver_quickly(call: DeliverInput) -> None:
    """One short try inside the workflow's worker: saves a round trip where Odoo is well. Raises `StepFailedError`."""
    try:
        await workflow.execute_local_activity(
            names.DELIVER,
            call.model_copy(update={"quick": True}),
            result_type=DeliveryReceipt,
            start_to_close_timeout=timedelta(seconds=QUICK_S),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )
    except FailureError as error:
        raise _failed(error) from None
    measuring.delivered(call)


async def pause(retry_after_s: float | None, policy: StepPolicy) -> None:
    """Wait as long as Odoo asked, or the first delay of the policy, before the callback is tried in earnest."""
    delay = retry_after_s if retry_after_s is not None else backoff_s(policy, 1, workflow.random().random())
    await workflow.sleep(min(delay, policy.deadline_s), summary="before the callback is tried again")


async def _execute(activity: str, call: Frozen, result: type[_T], policy: StepPolicy, where: dict[str, Any]) -> _T:
    try:
        done: _T = await workflow.execute_activity(
            activity,
            call,
            result_type=result,
            # The call, then as long again for a download.
            start_to_close_timeout=timedelta(seconds=2 * policy.timeout_s + MARGIN_S),
            heartbeat_timeout=timedelta(seconds=policy.heartbeat_s),
            # The activity itself counts failures and names the delays; only what never reached it is retried here.
            retry_policy=RetryPolicy(
                initial_interval=timedelta(seconds=1),
                maximum_interval=timedelta(seconds=30),
                non_retryable_error_types=["PayloadsTooLarge"],
            ),
            **where,
        )
    except ActivityError as error:
        raise _failed(error) from None
    return done


def _failed(error: FailureError) -> StepFailedError:
    if is_cancelled_exception(error):
        raise error
    # A local activity's own failure arrives without the ActivityError around it.
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ApplicationError) and cause.details:
        retry_after = cause.details[1] if len(cause.details) > 1 else None
        return StepFailedError(Failure.model_validate(cause.details[0]), retry_after)
    if isinstance(cause, ActivityTimeoutError):
        return StepFailedError(make_failure(FailureClass.INTERNAL, f"the attempt timed out: {cause}"))
    return StepFailedError(make_failure(FailureClass.INTERNAL, f"{type(cause).__name__}: {cause}"))
