"""What a failed attempt leads to."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import RULES, FailureClass, Retry, make_failure
from contracts.policies import GiveUp, RetryIn, StepPolicy, Tally, backoff_s, next_attempt, worst_case_s

CHEAP = settings(deadline=None, max_examples=100)
START = 1_700_000_000.0
POLICY = StepPolicy(attempts=3, initial_s=10, factor=2, maximum_s=60, timeout_s=30, deadline_s=600)

POLICIES = st.builds(
    StepPolicy,
    attempts=st.integers(0, 12),
    initial_s=st.floats(0.1, 600),
    factor=st.floats(1, 1e6),
    maximum_s=st.floats(0.1, 3600),
    timeout_s=st.floats(0.1, 600),
    deadline_s=st.floats(1, 7 * 86_400),
)
JITTER = st.floats(0, 1, exclude_max=True)


@dataclass(frozen=True)
class Attempt:
    """One failed attempt, as `next_attempt` sees it."""

    failure: FailureClass
    failures: int = 0
    elapsed: float = 0.0
    jitter: float = 0.0
    named: float | None = None
    policy: StepPolicy = POLICY
    retry: Retry | None = None

    def decide(self) -> RetryIn | GiveUp:
        return next_attempt(
            make_failure(self.failure, "no"),
            self.policy,
            Tally(started_at=START, failures=self.failures),
            now=START + self.elapsed,
            jitter=self.jitter,
            retry_after_s=self.named,
            retry=self.retry,
        )


ATTEMPTS = st.builds(
    Attempt,
    failure=st.sampled_from(sorted(FailureClass)),
    failures=st.integers(0, 20),
    elapsed=st.floats(0, 100_000),
    jitter=JITTER,
    named=st.none() | st.floats(0, 100_000),
    policy=POLICIES,
    retry=st.none() | st.sampled_from(sorted(Retry)),
)


@pytest.mark.parametrize(
    ("attempt", "delay", "failures"),
    [
        (Attempt(FailureClass.CONNECT_FAILED), 10, 1),
        (Attempt(FailureClass.CONNECT_FAILED, failures=1), 20, 2),
        (Attempt(FailureClass.CONNECT_FAILED, jitter=0.5), 7.5, 1),
        (Attempt(FailureClass.CONNECT_FAILED, named=45), 45, 1),
        (Attempt(FailureClass.CONNECT_FAILED, named=1), 10, 1),
        (Attempt(FailureClass.CONNECT_FAILED, named=0, failures=1), 20, 2),
        (Attempt(FailureClass.CONNECT_FAILED, elapsed=589), 10, 1),
        (Attempt(FailureClass.RATE_LIMITED), 10, 0),
        (Attempt(FailureClass.RATE_LIMITED, named=45), 45, 0),
        (Attempt(FailureClass.RATE_LIMITED, named=45, jitter=0.5), 45.5, 0),
        (Attempt(FailureClass.RATE_LIMITED, named=45, failures=2), 45, 2),
        (Attempt(FailureClass.RATE_LIMITED, named=300), 300, 0),
        (Attempt(FailureClass.RATE_LIMITED, named=0), 0.01, 0),
        (Attempt(FailureClass.OUTCOME_UNKNOWN, retry=Retry.BACKOFF), 10, 1),
    ],
)
def test_tries_again(attempt: Attempt, delay: float, failures: int) -> None:
    assert attempt.decide() == RetryIn(delay, Tally(started_at=START, failures=failures))


@pytest.mark.parametrize(
    ("attempt", "reason"),
    [
        (Attempt(FailureClass.INVALID_REQUEST), None),
        (Attempt(FailureClass.OUTCOME_UNKNOWN, named=5), None),
        (Attempt(FailureClass.CONNECT_FAILED, retry=Retry.NEVER), None),
        (Attempt(FailureClass.CONNECT_FAILED, failures=2), "Given up after 3 failed attempts."),
        (Attempt(FailureClass.CONNECT_FAILED, failures=9), "Given up after 10 failed attempts."),
        (Attempt(FailureClass.CONNECT_FAILED, elapsed=590), "The next attempt in 10 s would be past the deadline"),
        (Attempt(FailureClass.RATE_LIMITED, named=600), "The next attempt in 600 s would be past the deadline"),
        (Attempt(FailureClass.RATE_LIMITED, named=2, elapsed=599), "The next attempt in 2 s would be past the"),
    ],
)
def test_gives_up(attempt: Attempt, reason: str | None) -> None:
    verdict = attempt.decide()
    assert isinstance(verdict, GiveUp)
    assert (verdict.reason or "").startswith(reason or "")
    assert (verdict.reason is None) == (reason is None)


def test_other_notes_of_the_tally_survive() -> None:
    tally = Tally(started_at=START, unclear_since=START + 1)
    failure = make_failure(FailureClass.CALLBACK_UNDELIVERABLE, "no")
    verdict = next_attempt(failure, POLICY, tally, now=START + 2, jitter=0.0)
    assert isinstance(verdict, RetryIn)
    assert verdict.tally == Tally(started_at=START, failures=1, unclear_since=START + 1)


@CHEAP
@given(POLICIES, st.integers(0, 20_000), JITTER)
def test_backoff_stays_between_half_and_whole(policy: StepPolicy, failures: int, jitter: float) -> None:
    whole = backoff_s(policy, failures, 0.0)
    assert 0 < whole <= policy.maximum_s
    assert whole / 2 <= backoff_s(policy, failures, jitter) <= whole
    assert whole <= backoff_s(policy, failures + 1, 0.0)


@CHEAP
@given(ATTEMPTS)
def test_a_delay_respects_the_other_side_the_maximum_and_the_deadline(attempt: Attempt) -> None:
    verdict = attempt.decide()
    if isinstance(verdict, RetryIn):
        named = attempt.named or 0.0
        assert max(named, 0.005) <= verdict.delay_s <= max(attempt.policy.maximum_s, named + 1)
        assert attempt.elapsed + verdict.delay_s < attempt.policy.deadline_s + 1e-3


@CHEAP
@given(ATTEMPTS)
def test_an_attempt_is_given_up_for_a_reason_only(attempt: Attempt) -> None:
    verdict = attempt.decide()
    retry = attempt.retry or RULES[attempt.failure].retry
    spent = retry is Retry.BACKOFF and 0 < attempt.policy.attempts <= attempt.failures + 1
    if isinstance(verdict, RetryIn):
        assert retry is not Retry.NEVER
        assert not spent
        assert verdict.tally.failures == attempt.failures + (retry is Retry.BACKOFF)
    elif retry is not Retry.NEVER and not spent:
        longest = max(attempt.policy.maximum_s, (attempt.named or 0.0) + 1)
        assert attempt.elapsed + longest >= attempt.policy.deadline_s - 1e-3


@CHEAP
@given(POLICIES.filter(lambda policy: policy.attempts > 0), st.lists(JITTER, min_size=12, max_size=12))
def test_no_run_outlasts_the_worst_case(policy: StepPolicy, jitters: list[float]) -> None:
    elapsed, calls, tally = 0.0, 0, Tally(started_at=0.0)
    failure = make_failure(FailureClass.PROVIDER_INTERNAL, "no")
    while True:
        calls += 1
        elapsed += policy.timeout_s
        verdict = next_attempt(failure, policy, tally, now=elapsed, jitter=jitters[calls - 1])
        if isinstance(verdict, GiveUp):
            break
        elapsed, tally = elapsed + verdict.delay_s, verdict.tally
    assert calls <= policy.attempts
    assert elapsed <= worst_case_s(policy) * (1 + 1e-9)


def test_the_worst_case_is_reached_and_named() -> None:
    assert worst_case_s(POLICY) == 3 * 30 + 10 + 20
    assert worst_case_s(POLICY.model_copy(update={"attempts": 0})) == 600 + 30
    assert worst_case_s(POLICY.model_copy(update={"attempts": 1000})) == 600 + 30
