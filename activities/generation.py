"""`generate-image`: have images made, at most once per generation. What follows a job stands in `jobs.py`."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

import structlog
from structlog.contextvars import bound_contextvars
from temporalio import activity

from activities.attempts import AttemptFailedError, EarlierAttemptError, after_a_call, run_attempt
from activities.directory import ServiceDirectory, service_call
from activities.ledger import Ledger
from activities.records import Marker, Records
from activities.services.base import Accepted, Call, Completed, ServiceError
from activities.storing import Storing
from activities.unbroken import beside, left_alone, unbroken
from activities.wire import told_when_sent
from contracts import names
from contracts.errors import UNPAID, Failure, FailureClass, Retry, make_failure
from contracts.requests import GenerateInput, Generation, JobReference
from contracts.spend import SpendState

log = structlog.get_logger(__name__)

LOOK_AGAIN_S = 3.0
"""Seconds between looks for the image of an attempt that may still be running."""

_T = TypeVar("_T")


class Gate(Protocol):
    """What the account of a service lets pass, and what it hears of each call (`activities.accounts.Accounts`)."""

    async def admit(self, service: str, *, failover: bool) -> None:
        """Return when the call may leave; raises `AttemptFailedError`."""
        ...

    async def report(self, service: str, failure: Failure | None, retry_after_s: float | None) -> None:
        """Hear how a call ended, None = served; never raises."""
        ...


class GenerationActivities:
    """The activity of one worker that pays image services."""

    def __init__(
        self, directory: ServiceDirectory, records: Records, ledger: Ledger, storing: Storing, gate: Gate
    ) -> None:
        self._gate = gate
        self._directory = directory
        self._records = records
        self._ledger = ledger
        self._storing = storing

    @activity.defn(name=names.GENERATE)
    async def generate_image(self, call: GenerateInput) -> Generation:
        """Make and store the images, or return the job that will; looks in the store before it pays."""
        with bound_contextvars(request_id=call.reference.request_id):
            # A submit that leads to a job takes a moment, and only who has the job can cancel it.
            whole = self._directory.takes_jobs(call.service)
            return await run_attempt(
                call.policy, lambda: _finish_even_if_given_up(lambda: self._generate(call), even_if_cancelled=whole)
            )

    # --- decide from the store ------------------------------------------------------------------------------------

    async def _generate(self, call: GenerateInput) -> Generation:
        done = await self._records.manifest(call)
        if done is not None:
            return Generation(generated=done)
        self._directory.service(call.service)
        marker = _marker(call, calls=1)
        # Written only where there is none, so this is the look for an earlier call as well.
        if await self._records.begin(call, marker):
            return await self._call(call, marker)
        earlier = await self._records.marker(call)
        if earlier is None:
            raise EarlierAttemptError(LOOK_AGAIN_S)
        if call.void_job is not None and earlier.job is not None and earlier.job.job_id == call.void_job:
            return await self._call_instead(call, earlier)
        # After a failover a redrive begins with the first service again: what another has begun is that one's.
        with after_a_call():
            return await self._resume(call.model_copy(update={"service": earlier.service or call.service}), earlier)

    async def _resume(self, call: GenerateInput, marker: Marker) -> Generation:
        if marker.unusable is not None:
            raise ServiceError(marker.unusable, retry=Retry.NEVER)
        if marker.job is not None:
            again = self._is_to_be_repeated(call, marker)
            return await self._call_again(call, marker) if again else Generation(job=marker.job)
        if marker.artifacts is not None:
            return Generation(generated=await self._storing.download(call, marker))
        found = await self._directory.service(call.service).find(self._directory.ringing(call))
        if found is not None:
            return await self._take(call, marker, found)
        return await self._after_unknown(call, marker)

    def _is_to_be_repeated(self, call: GenerateInput, marker: Marker) -> bool:
        is_lost = call.lost_call is not None and marker.calls <= call.lost_call
        return is_lost and self._directory.may_repeat(call.service, marker.calls)

    async def _after_unknown(self, call: GenerateInput, marker: Marker) -> Generation:
        """An earlier call left neither image nor refusal: the service's policy says whether to call again."""
        wait = marker.gives_up_at - time.time()
        # What costs nothing need not wait for a call that may still bring its image.
        if wait > 0 and self._directory.settings(call.service).unknown_policy != "always":
            raise EarlierAttemptError(min(wait, LOOK_AGAIN_S))
        await self._ledger.note(call, marker, SpendState.UNKNOWN)
        if self._directory.may_repeat(call.service, marker.calls):
            return await self._call_again(call, marker)
        raise ServiceError(
            make_failure(
                FailureClass.OUTCOME_UNKNOWN,
                f"a call to {call.service} was begun, but neither an image nor a refusal of it is known",
                service=call.service,
            )
        )

    # --- call ---------------------------------------------------------------------------------------------------

    async def _call_again(self, call: GenerateInput, marker: Marker) -> Generation:
        again = _marker(call, calls=marker.calls + 1).model_copy(update={"before": marker.call})
        await self._records.note(call, again)
        return await self._call(call, again)

    async def _call_instead(self, call: GenerateInput, void: Marker) -> Generation:
        """Call where an earlier call led to a job that never ran, which costs nothing: it does not count."""
        instead = _marker(call, calls=void.calls).model_copy(update={"before": void.before})
        await self._records.note(call, instead)
        return await self._call(call, instead)

    async def _call(self, call: GenerateInput, marker: Marker) -> Generation:
        ready, marker = await self._prepared(call, marker)
        await self._announce(call, marker)
        sent = _Beside(lambda: self._ledger.note(call, marker, SpendState.SENT))
        try:
            answer = await self._submit(ready, call.service, sent)
        except AttemptFailedError as error:
            told = self._report(call.service, sent, error)
            raise await beside(told, self._after_failed_call(call, marker, error)) from None
        except (Exception, asyncio.CancelledError):
            await beside(sent.ended(), self._lost(call, marker))
            raise
        # What came is kept first: neither the ledger nor the account is a reason to lose it.
        return await beside(self._report(call.service, sent, None), self._take(call, marker, answer))

    async def _prepared(self, call: GenerateInput, marker: Marker) -> tuple[Call, Marker]:
        """The call as it will be sent, once the account may be called. What is refused here was never sent."""
        try:
            ready, warnings = self._directory.submission(call)
            await self._gate.admit(call.service, failover=call.failover)
        except AttemptFailedError as error:
            await self._withdraw(call, marker)
            raise _proved(error, marker) from None
        except (Exception, asyncio.CancelledError):
            await self._withdraw(call, marker)
            raise
        return ready, marker.model_copy(update={"warnings": warnings})

    async def _announce(self, call: GenerateInput, marker: Marker) -> None:
        """Write the intent into the ledger; where that cannot be done, nothing is sent."""
        try:
            await self._ledger.intend(call, marker)
        except (OSError, asyncio.CancelledError):
            await self._refused(call, marker)
            raise

    async def _submit(self, ready: Call, service: str, sent: _Beside) -> Completed | Accepted:
        """The one place that pays."""
        with told_when_sent(sent.start):
            return await self._directory.service(service).submit(ready)

    async def _report(self, service: str, sent: _Beside, error: AttemptFailedError | None) -> None:
        """Tell the account how the call ended, once the ledger knows that it was sent."""
        await sent.ended()
        if error is None:
            await self._gate.report(service, None, None)
        elif isinstance(error, ServiceError):
            await self._gate.report(service, error.failure, error.retry_after_s)

    async def _after_failed_call(
        self, call: GenerateInput, marker: Marker, error: AttemptFailedError
    ) -> AttemptFailedError:
        failure = error.failure
        # A service raises nothing but ServiceError: what else failed, failed before it was asked.
        never_sent = not isinstance(error, ServiceError)
        if never_sent or (failure.failure in UNPAID and not failure.output_refused):
            await self._refused(call, marker)
            return _proved(error, marker)
        if failure.failure is FailureClass.OUTCOME_UNKNOWN:
            await self._lost(call, marker)
            may_repeat = self._directory.may_repeat(call.service, marker.calls)
            return ServiceError(failure, retry=Retry.BACKOFF if may_repeat else None)
        await self._lost(call, marker, unusable=failure)
        return error

    async def _refused(self, call: GenerateInput, marker: Marker) -> None:
        await beside(self._ledger.note(call, marker, SpendState.REFUSED), self._withdraw(call, marker))

    async def _withdraw(self, call: GenerateInput, marker: Marker) -> None:
        """This call made nothing; what an earlier one of the same generation did stays unknown."""
        if marker.before is None:
            await self._records.forget(call)
        else:
            earlier = {"calls": marker.calls - 1, "call": marker.before}
            await self._records.note(call, marker.ended().model_copy(update=earlier))

    async def _lost(self, call: GenerateInput, marker: Marker, unusable: Failure | None = None) -> None:
        """This call has ended and may be paid for, but nothing usable came of it."""
        unknown = self._ledger.note(call, marker, SpendState.UNKNOWN)
        ended = marker.ended().model_copy(update={"unusable": unusable})
        await beside(unknown, self._records.note(call, ended))

    # --- take what came -----------------------------------------------------------------------------------------

    async def _take(self, call: GenerateInput, marker: Marker, answer: Completed | Accepted) -> Generation:
        if isinstance(answer, Completed):
            with after_a_call():
                return Generation(generated=await self._storing.store(call, marker, answer))
        known = marker.model_copy(update={"job": answer.job, "cost": answer.cost})
        try:
            await unbroken(self._keep_job(call, known))
        finally:
            await self._cancel_unwanted(call, answer.job)
        return Generation(job=answer.job)

    async def _keep_job(self, call: GenerateInput, known: Marker) -> None:
        """The job's reference is in the store before anything else can fail; the history gets it in any case."""
        cost = self._directory.cost(call.service, known.cost, 1)
        accepted = self._ledger.note(call, known, SpendState.ACCEPTED, cost=cost)
        try:
            await beside(accepted, self._records.keep(call, known))
        except OSError as error:
            log.warning("job_not_noted", job_id=known.job and known.job.job_id, reason=str(error))

    async def _cancel_unwanted(self, call: GenerateInput, job: JobReference) -> None:
        """Cancel the job of a request that was cancelled meanwhile: nobody else will ever hear of it."""
        details = activity.cancellation_details()
        if details is not None and details.cancel_requested:
            await self._directory.service(call.service).cancel(job, service_call(call))


class _Beside:
    """Work that is started once, if at all, while something else is waited for."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._work = work
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._work())

    async def ended(self) -> None:
        if self._task is not None:
            await left_alone(self._task)


def _marker(call: GenerateInput, *, calls: int) -> Marker:
    now = time.time()
    return Marker(
        service=call.service,
        calls=calls,
        call=secrets.token_hex(8),
        sent_at=now,
        gives_up_at=now + call.policy.timeout_s,
    )


def _proved(error: AttemptFailedError, marker: Marker) -> AttemptFailedError:
    """The error of a call that made nothing: where it was the generation's only one, another service may be asked."""
    if marker.before is not None:
        return error
    failure = error.failure.model_copy(update={"unpaid": True})
    return AttemptFailedError(failure, error.retry_after_s, retry=error.retry, unclear=error.unclear)


async def _finish_even_if_given_up(work: Callable[[], Awaitable[_T]], *, even_if_cancelled: bool) -> _T:
    """Run `work`; where the server has given up on this attempt (lost heartbeats), still let it reach the store.

    A call that may be paid is only torn down when someone wants that: a cancelled request (unless
    `even_if_cancelled`), or a worker whose time to shut down is over.
    """
    task = asyncio.ensure_future(work())
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        details = activity.cancellation_details()
        unwanted = details is None or (details.cancel_requested and not even_if_cancelled)
        if unwanted or (details is not None and details.worker_shutdown):
            task.cancel()
        await left_alone(task)
        raise
