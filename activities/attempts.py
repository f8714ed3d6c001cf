"""One attempt of an activity: heartbeats, the tally of earlier attempts, and what Temporal is told of a failure.

A `RetryPolicy` knows neither jitter nor Retry-After and cannot tell a 429 from a failure. So attempts are unlimited
there; this module counts failures in heartbeat details, which survive a failed attempt, and names each delay.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from typing import TypeVar

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from contracts.callbacks import UNCLEAR_WINDOW_S
from contracts.errors import Failure, FailureClass, Retry, doubted, make_failure
from contracts.policies import GiveUp, StepPolicy, Tally, next_attempt
from runtime.redaction import redact_text

log = structlog.get_logger(__name__)

_T = TypeVar("_T")

BEAT_S = 5.0
"""Seconds between heartbeats at most: by them an attempt hears that its request is cancelled."""


class AttemptFailedError(Exception):
    """An attempt failed. `failure` says how, `retry_after_s` is the time the other side named, from now.

    `retry` stands in for the rule of the failure's class; `unclear` marks an answer that may only be too early.
    """

    def __init__(
        self,
        failure: Failure,
        retry_after_s: float | None = None,
        *,
        retry: Retry | None = None,
        unclear: bool = False,
    ) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.retry_after_s = retry_after_s
        self.retry = retry
        self.unclear = unclear


class EarlierAttemptError(Exception):
    """An earlier attempt may still be running: look again in `wait_s`, which spends no budget."""

    def __init__(self, wait_s: float, reason: str = "an earlier attempt may still be running") -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class HandedOverError(EarlierAttemptError):
    """This worker stops: another one shall go on waiting for what costs nothing."""

    def __init__(self) -> None:
        super().__init__(0.1, "the worker stops; another one goes on waiting")


@contextlib.contextmanager
def after_a_call() -> Iterator[None]:
    """What fails inside fails after a call was taken, so it says nothing about whether something was made."""
    try:
        yield
    except AttemptFailedError as error:
        error.failure = doubted(error.failure)
        raise


async def run_attempt(policy: StepPolicy, work: Callable[[], Awaitable[_T]]) -> _T:
    """Run `work` as one attempt under `policy`; raises `ApplicationError` with the `Failure` as its first detail."""
    clock = _Clock()
    tally = _tally(clock)
    if activity.info().attempt > 1:
        # From the second attempt on, so that attempts that die without a word still end at the deadline; the usual
        # single attempt does without the round trip.
        activity.heartbeat(tally)
    async with _heartbeats(policy, tally):
        try:
            _check_deadline(policy, tally, clock.now())
            return await work()
        except EarlierAttemptError as earlier:
            raise _look_again(earlier) from None
        except AttemptFailedError as failed:
            raise _translated(failed, policy, tally, clock.now()) from None
        except ApplicationError:
            raise
        except Exception as error:
            log.exception("attempt_crashed")
            raise _translated(AttemptFailedError(_crash(error)), policy, tally, clock.now()) from None


async def run_once(work: Callable[[], Awaitable[_T]]) -> _T:
    """Run `work` as a try that is not repeated here: its failure goes back to the workflow as it is."""
    try:
        return await work()
    except AttemptFailedError as failed:
        raise _final(failed.failure, failed.retry_after_s) from None
    except Exception as error:
        log.exception("attempt_crashed")
        raise _final(_crash(error)) from None


def _crash(error: Exception) -> Failure:
    # Unlike a log line, a failure reaches a history, which nothing redacts on its way.
    return make_failure(FailureClass.INTERNAL, redact_text(f"{type(error).__name__}: {error}"))


class _Clock:
    """The server's time, so that attempts on hosts with different clocks agree about a deadline."""

    def __init__(self) -> None:
        self._offset = activity.info().started_time.timestamp() - time.monotonic()

    def now(self) -> float:
        """Epoch seconds."""
        return self._offset + time.monotonic()


def _tally(clock: _Clock) -> Tally:
    details = activity.info().heartbeat_details
    return Tally.model_validate(details[0]) if details else Tally(started_at=clock.now())


def _check_deadline(policy: StepPolicy, tally: Tally, now: float) -> None:
    """End what only ever dies: an attempt that takes its worker along leaves no failure behind to be counted."""
    if now - tally.started_at < policy.deadline_s:
        return
    message = f"no attempt has ended within the deadline of {policy.deadline_s:.0f} s"
    raise AttemptFailedError(make_failure(FailureClass.INTERNAL, message), retry=Retry.NEVER)


def _translated(failed: AttemptFailedError, policy: StepPolicy, tally: Tally, now: float) -> ApplicationError:
    tally = tally.model_copy(update={"unclear_since": (tally.unclear_since or now) if failed.unclear else None})
    verdict = _out_of_patience(tally, now) or next_attempt(
        failed.failure,
        policy,
        tally,
        now=now,
        jitter=random.random(),  # noqa: S311 - spreads load, protects nothing
        retry_after_s=failed.retry_after_s,
        retry=failed.retry,
    )
    if isinstance(verdict, GiveUp):
        log.warning("attempt_gave_up", failure=failed.failure.failure, reason=verdict.reason)
        return _final(_with_reason(failed.failure, verdict.reason))
    activity.heartbeat(verdict.tally)
    log.info("attempt_failed", failure=failed.failure.failure, retry_in_s=round(verdict.delay_s, 2))
    return ApplicationError(
        failed.failure.message,
        failed.failure,
        type=failed.failure.failure,
        next_retry_delay=timedelta(seconds=verdict.delay_s),
        category=ApplicationErrorCategory.BENIGN,
    )


def _out_of_patience(tally: Tally, now: float) -> GiveUp | None:
    if tally.unclear_since is None or now - tally.unclear_since < UNCLEAR_WINDOW_S:
        return None
    return GiveUp(f"Still so after {UNCLEAR_WINDOW_S / 60:.0f} minutes.")


def _with_reason(failure: Failure, reason: str | None) -> Failure:
    if reason is None:
        return failure
    return make_failure(
        message=f"{failure.message} {reason}", **failure.model_dump(exclude={"message"}, exclude_none=True)
    )


def _final(failure: Failure, retry_after_s: float | None = None) -> ApplicationError:
    return ApplicationError(
        failure.message,
        failure,
        retry_after_s,
        type=failure.failure,
        non_retryable=True,
        category=ApplicationErrorCategory.BENIGN,
    )


def _look_again(earlier: EarlierAttemptError) -> ApplicationError:
    return ApplicationError(
        str(earlier),
        type="EarlierAttempt",
        next_retry_delay=timedelta(seconds=earlier.wait_s),
        category=ApplicationErrorCategory.BENIGN,
    )


@contextlib.asynccontextmanager
async def _heartbeats(policy: StepPolicy, tally: Tally) -> AsyncIterator[None]:
    async def beat() -> None:
        while True:
            await asyncio.sleep(min(policy.heartbeat_s / 3, BEAT_S))
            activity.heartbeat(tally)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
