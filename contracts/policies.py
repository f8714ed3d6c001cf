"""Retry policies, and the pure decision what a failed attempt leads to."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from contracts.errors import Failure, Retry
from contracts.model import Frozen


class StepPolicy(Frozen):
    """How often and how long one step of a request is tried. All times in seconds."""

    attempts: int = Field(ge=0)
    """Failures until the step is given up; 0 = only the deadline counts."""
    initial_s: float = Field(gt=0)
    """The delay after the first failure."""
    factor: float = Field(default=2.0, ge=1)
    """What each further failure multiplies the delay by."""
    maximum_s: float = Field(gt=0)
    """The longest delay."""
    timeout_s: float = Field(gt=0)
    """One call to the other side."""
    deadline_s: float = Field(gt=0)
    """All attempts and waits together, from the start of the first attempt: time without any worker, or in a
    queue that is held back by a rate limit, does not count."""
    heartbeat_s: float = Field(default=30.0, gt=0)
    """Silence after which an attempt counts as dead; longer than a server restart takes."""


class Policies(Frozen):
    """The snapshot of a route's and its service's policies that a request carries with it."""

    generate: StepPolicy
    deliver: StepPolicy
    park_s: float = Field(gt=0)
    """How long a dead letter waits for a decision."""
    images: str = "inline"
    """How images travel: inline (base64) or url."""
    inline_limit: int
    """Bytes above which images travel as URLs all the same."""
    url_ttl_s: int
    """How long an image URL that is sent stays valid."""
    quick_callback: bool = True
    """Whether the first callback may run inside the workflow's worker (no rate limit on that Odoo)."""
    failover_attempts: int | None = None
    """Failures after which the next service is tried; only counts where there is one."""
    reseeds: int = 0
    """How often an image that was refused after it was made is made again with another seed. New spend each."""


class Tally(Frozen):
    """What earlier attempts of a step leave to later ones; travels in heartbeat details."""

    started_at: float
    """Epoch seconds of the first attempt's start."""
    failures: int = 0
    """Failures that count against the budget."""
    unclear_since: float | None = None
    """Epoch seconds of the first answer that cannot be told apart from a record that is not committed yet."""


@dataclass(frozen=True, slots=True)
class RetryIn:
    """Try again after `delay_s`."""

    delay_s: float
    tally: Tally


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No further attempt; `reason` is added to the failure's message."""

    reason: str | None = None


def backoff_s(policy: StepPolicy, failures: int, jitter: float) -> float:
    """The delay after the n-th failure: exponential, spread downwards to a half by `jitter` in [0, 1)."""
    try:
        grown = policy.initial_s * policy.factor ** max(failures - 1, 0)
    except OverflowError:
        grown = policy.maximum_s
    return min(policy.maximum_s, grown) * (1 - jitter / 2)


def next_attempt(  # noqa: PLR0913 - a pure decision takes the clock and the dice as arguments
    failure: Failure,
    policy: StepPolicy,
    tally: Tally,
    *,
    now: float,
    jitter: float,
    retry_after_s: float | None = None,
    retry: Retry | None = None,
) -> RetryIn | GiveUp:
    """Decide what follows a failed attempt. `now` is epoch seconds, `jitter` in [0, 1).

    A delay that the other side named is never shortened, and where the failure spends the budget it is never shorter
    than the backoff: "Retry-After: 1" must not burn all attempts in seconds. One that ends beyond the deadline gives
    up at once, with that reason. `retry` stands in for the rule of the failure's class where the case is known better.
    """
    rule = retry or failure.rule.retry
    if rule is Retry.NEVER:
        return GiveUp()
    spends = rule is Retry.BACKOFF
    after = tally.model_copy(update={"failures": tally.failures + 1}) if spends else tally
    if spends and 0 < policy.attempts <= after.failures:
        return GiveUp(f"Given up after {after.failures} failed attempts.")
    backoff = backoff_s(policy, max(after.failures, 1), jitter)
    delay = backoff if retry_after_s is None else _named_delay_s(policy, retry_after_s, jitter)
    delay = max(delay, backoff) if spends else delay
    if now - tally.started_at + delay >= policy.deadline_s:
        return GiveUp(f"The next attempt in {delay:.0f} s would be past the deadline of {policy.deadline_s:.0f} s.")
    return RetryIn(delay, after)


def _named_delay_s(policy: StepPolicy, retry_after_s: float, jitter: float) -> float:
    # Callers that were told the same time must not all come back in the same instant.
    return max(retry_after_s + jitter * min(1.0, policy.initial_s), 0.01)


def worst_case_s(policy: StepPolicy) -> float:
    """The longest a step can take: every attempt times out and every delay is unspread.

    The deadline bounds when the last attempt starts, not when it ends. Delays that the other side names and waits
    that spend no budget come on top: those only the deadline bounds.
    """
    longest = policy.deadline_s + policy.timeout_s
    if not policy.attempts:
        return longest
    waits = sum(backoff_s(policy, n, 0.0) for n in range(1, policy.attempts))
    return min(longest, policy.attempts * policy.timeout_s + waits)
