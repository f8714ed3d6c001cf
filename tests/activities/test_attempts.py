from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.attempts import AttemptFailedError, EarlierAttemptError, run_once
from contracts.errors import FailureClass, make_failure
from tests.activities.series import POLICY, Series, delay_s, failure_of, series

Work = Callable[[], Coroutine[Any, Any, NoReturn]]


def failing(failure: FailureClass = FailureClass.PROVIDER_INTERNAL, wait_s: float | None = None, **how: bool) -> Work:
    async def work() -> NoReturn:
        raise AttemptFailedError(make_failure(failure, "it failed"), wait_s, unclear=how.get("unclear", False))

    return work


async def test_a_result_is_the_works_own() -> None:
    async def work() -> str:
        return f"attempt {activity.info().attempt}"

    assert await series(work).attempt() == "attempt 1"


async def test_a_failure_travels_as_data_and_is_no_alarm() -> None:
    error = await series(failing()).failing()
    assert (error.type, failure_of(error).message) == ("ProviderInternal", "it failed")
    assert error.category is ApplicationErrorCategory.BENIGN


async def test_failures_are_counted_over_attempts_until_the_budget_is_spent() -> None:
    tried = series(failing(), attempts=4)
    delays = [delay_s(await tried.failing()) for _ in range(3)]
    last = await tried.failing()
    assert last.non_retryable
    assert failure_of(last).message == "it failed Given up after 4 failed attempts."
    assert all(limit / 2 < delay <= limit for delay, limit in zip(delays, (2, 4, 8), strict=True))


async def test_without_a_budget_only_the_deadline_counts() -> None:
    tried = series(failing(), attempts=0, deadline_s=600)
    error = await tried.failing()
    while not error.non_retryable:
        assert delay_s(error) <= POLICY.maximum_s
        error = await tried.failing()
    assert "past the deadline of 600 s" in failure_of(error).message
    assert tried.attempts > 600 / POLICY.maximum_s


@pytest.mark.parametrize("failure", [FailureClass.RATE_LIMITED, FailureClass.CONCURRENCY_LIMITED])
async def test_being_asked_to_wait_spends_no_budget(failure: FailureClass) -> None:
    tried = series(failing(failure, 30), attempts=1, deadline_s=1000)
    waits = [delay_s(await tried.failing()) for _ in range(20)]
    assert all(30 <= wait <= 31 for wait in waits)


@settings(deadline=None)
@given(named=st.floats(0, 4000), failure=st.sampled_from(list(FailureClass)))
async def test_a_named_time_is_never_shortened(named: float, failure: FailureClass) -> None:
    error = await series(failing(failure, named)).failing()
    assert error.non_retryable or delay_s(error) >= named


async def test_a_named_time_past_the_deadline_gives_up_at_once_and_says_so() -> None:
    error = await series(failing(FailureClass.RATE_LIMITED, 7200)).failing()
    assert error.non_retryable
    assert re.search(r"The next attempt in 720\d s would be past the deadline of 3600 s\.", failure_of(error).message)


async def test_what_cannot_get_better_ends_at_once() -> None:
    error = await series(failing(FailureClass.QUOTA_EXHAUSTED)).failing()
    assert error.non_retryable
    assert failure_of(error).failure is FailureClass.QUOTA_EXHAUSTED


async def test_an_unclear_answer_is_given_fifteen_minutes() -> None:
    tried = series(failing(FailureClass.CALLBACK_UNDELIVERABLE, unclear=True), attempts=0)
    began = tried.now
    error = await tried.failing()
    while not error.non_retryable:
        error = await tried.failing()
    assert "Still so after 15 minutes." in failure_of(error).message
    waited = tried.now - began
    assert timedelta(minutes=15) <= waited < timedelta(minutes=15, seconds=POLICY.maximum_s)


async def test_a_clear_failure_between_unclear_ones_starts_the_fifteen_minutes_anew() -> None:
    unclear = failing(FailureClass.CALLBACK_UNDELIVERABLE, unclear=True)
    works = [unclear, failing(FailureClass.CALLBACK_UNDELIVERABLE, 890), unclear]

    async def next_work() -> NoReturn:
        await works.pop(0)()
        raise AssertionError

    tried = series(next_work, attempts=0)
    for _ in range(3):
        assert not (await tried.failing()).non_retryable


async def test_looking_again_spends_no_budget() -> None:
    async def earlier() -> NoReturn:
        raise EarlierAttemptError(1.5)

    tried = series(earlier, attempts=1)
    errors = [await tried.failing() for _ in range(10)]
    assert {(error.type, delay_s(error)) for error in errors} == {("EarlierAttempt", 1.5)}


async def test_attempts_that_die_without_a_word_end_at_the_deadline() -> None:
    class DiedError(BaseException):
        pass

    async def deadly() -> NoReturn:
        raise DiedError

    tried = series(deadly, deadline_s=100)
    for _ in range(2):
        with pytest.raises(DiedError):
            await tried.attempt()
    tried.now += timedelta(seconds=101)
    error = await tried.failing()
    assert error.non_retryable
    assert "no attempt has ended within the deadline of 100 s" in failure_of(error).message


async def test_a_crash_is_an_internal_failure_and_is_retried() -> None:
    async def crash() -> NoReturn:
        raise ZeroDivisionError("by zero")

    error = await series(crash).failing()
    assert delay_s(error) > 0
    assert failure_of(error).failure is FailureClass.INTERNAL
    assert failure_of(error).message == "ZeroDivisionError: by zero"


async def test_a_crash_tells_no_secret() -> None:
    async def crash() -> NoReturn:
        raise ValueError("Illegal header value b'Bearer made-up-secret-0123456789'")

    for error in (await series(crash).failing(), await Series(lambda: run_once(crash)).failing()):
        assert "made-up-secret" not in failure_of(error).message


async def test_a_single_try_hands_its_failure_and_the_named_time_to_the_workflow() -> None:
    error = await Series(lambda: run_once(failing(FailureClass.CALLBACK_UNDELIVERABLE, 17))).failing()
    assert error.non_retryable
    assert failure_of(error).failure is FailureClass.CALLBACK_UNDELIVERABLE
    assert error.details[1] == 17


async def test_a_single_try_that_crashes_is_an_internal_failure() -> None:
    async def crash() -> NoReturn:
        raise ZeroDivisionError

    assert failure_of(await Series(lambda: run_once(crash)).failing()).failure is FailureClass.INTERNAL


async def test_an_error_of_temporals_own_passes_unchanged() -> None:
    async def work() -> NoReturn:
        raise ApplicationError("as it is", type="Other")

    assert (await series(work).failing()).type == "Other"
