"""A marker without image: some call may have been made, and nobody knows what came of it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from activities.records import Marker
from contracts.errors import Failure, FailureClass
from contracts.requests import Generation
from tests.activities.desk import Desk, generate_input, refused, settled
from tests.activities.doubles import ACCEPTED, INLINE, JOB
from tests.activities.series import delay_s, failure_of

UNKNOWN = refused(FailureClass.OUTCOME_UNKNOWN)
ONCE_MORE: dict[str, Any] = {"on_outcome_unknown": "retry_once"}
ALWAYS: dict[str, Any] = {"on_outcome_unknown": "always"}


async def begun(desk: Desk, running_s: float) -> None:
    """An attempt has begun its call and may be running for that long yet."""
    now = time.time()
    await desk.records.begin(generate_input(), Marker(sent_at=now, gives_up_at=now + running_s))


@pytest.mark.parametrize("settings", [{}, ONCE_MORE])
async def test_a_call_that_may_still_run_is_waited_for_without_spending_the_budget(
    desk: Desk, settings: dict[str, Any]
) -> None:
    desk.settings = settings
    await begun(desk, 60)
    tried = desk.generating()
    for _ in range(20):
        error = await tried.failing()
        assert (error.type, delay_s(error)) == ("EarlierAttempt", 3.0)
    assert not desk.service.submitted


async def test_a_paid_call_without_a_trace_is_an_unknown_outcome(desk: Desk) -> None:
    await begun(desk, -1)
    error = await desk.generating().failing()
    assert error.non_retryable
    assert failure_of(error).failure is FailureClass.OUTCOME_UNKNOWN
    assert not desk.service.submitted


async def test_a_paid_call_that_broke_is_not_repeated_however_often_it_is_redriven(desk: Desk) -> None:
    desk.service.submits = [UNKNOWN]
    ends = [await settled(desk.generating()) for _ in range(3)]
    assert all(isinstance(end, Failure) and end.failure is FailureClass.OUTCOME_UNKNOWN for end in ends)
    assert len(desk.service.submitted) == 1


async def test_retry_once_calls_exactly_once_more(desk: Desk) -> None:
    desk.settings, desk.service.submits = ONCE_MORE, [UNKNOWN]
    for _ in range(3):
        end = await settled(desk.generating())
        assert isinstance(end, Failure)
        assert end.failure is FailureClass.OUTCOME_UNKNOWN
    assert len(desk.service.submitted) == 2


async def test_retry_once_takes_the_image_of_the_second_call(desk: Desk) -> None:
    desk.settings, desk.service.submits = ONCE_MORE, [UNKNOWN, INLINE]
    assert isinstance(await settled(desk.generating()), Generation)
    assert len(desk.service.submitted) == 2


@pytest.mark.parametrize("settings", [ALWAYS, {"paid": False}])
async def test_what_costs_nothing_is_called_until_the_budget_is_spent(desk: Desk, settings: dict[str, Any]) -> None:
    desk.settings, desk.service.submits = settings, [UNKNOWN]
    end = await settled(desk.generating())
    assert isinstance(end, Failure)
    assert "Given up after 8 failed attempts." in end.message
    assert len(desk.service.submitted) == 8


async def test_what_costs_nothing_waits_for_nobody(desk: Desk) -> None:
    desk.settings = ALWAYS
    await begun(desk, 60)
    assert (await desk.generating().attempt()).generated


async def test_a_refusal_after_an_unknown_call_keeps_the_unknown(desk: Desk) -> None:
    desk.settings = ONCE_MORE
    desk.service.submits = [UNKNOWN, refused(FailureClass.RATE_LIMITED), refused(FailureClass.AUTHENTICATION_FAILED)]
    end = await settled(desk.generating())
    assert isinstance(end, Failure)
    assert end.failure is FailureClass.AUTHENTICATION_FAILED
    assert len(desk.service.submitted) == 3, "a refused call is not the one more that is allowed"
    desk.settings = {}
    end = await settled(desk.generating())
    assert isinstance(end, Failure)
    assert end.failure is FailureClass.OUTCOME_UNKNOWN


async def test_what_the_service_still_knows_is_taken_in_place_of_a_second_call(desk: Desk) -> None:
    await begun(desk, 60)
    desk.service.finds = [INLINE]
    assert (await desk.generating().attempt()).generated
    assert not desk.service.submitted


async def test_a_job_that_the_service_still_knows_is_taken_up(desk: Desk) -> None:
    await begun(desk, -1)
    desk.service.finds = [ACCEPTED]
    assert (await desk.generating().attempt()).job == JOB
    marker = await desk.marker()
    assert marker is not None
    assert marker.job == JOB


async def test_a_marker_that_cannot_be_read_still_says_that_a_call_was_made(desk: Desk) -> None:
    await begun(desk, -1)
    (file,) = desk.root.rglob("marker.json")
    file.write_bytes(b"{")
    end = await settled(desk.generating())
    assert isinstance(end, Failure)
    assert end.failure is FailureClass.OUTCOME_UNKNOWN
    assert not desk.service.submitted
