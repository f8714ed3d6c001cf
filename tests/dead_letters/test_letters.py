"""Pure decisions of the desk: which letters, when a batch breaks off, what a redrive changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.dead_letter_batches import (
    BatchState,
    Counts,
    Phase,
    Selected,
    at_once,
    breaks_off,
    error_share,
    report_of,
)
from contracts.dead_letter_orders import BatchOrder
from contracts.dead_letters import DeadLetter, LetterFilter, may_pay
from contracts.decisions import Discard, Redrive, changed
from contracts.requests import ImageRequest
from operations.dead_letters import suggested

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def letter(**fields: Any) -> DeadLetter:
    given = {"request_id": "r-1", "workflow_id": "event/r-1", "run_id": "x", "route": "event", "step": "generate"}
    return DeadLetter.model_validate({**given, "since": NOON, "parking": 1, "cause": "QuotaExhausted", **fields})


def order(**fields: Any) -> BatchOrder:
    given = {"name": "b", "kind": "redrive", "by": "ann", "reason": "r", "chosen": LetterFilter()}
    return BatchOrder.model_validate({**given, **fields})


def state(**fields: Any) -> BatchState:
    selected = Selected(folder="f", total=100)
    given = {"order": order(), "selected": selected, "cursor": 50, "phase": Phase.DECIDING}
    return BatchState.model_validate({**given, **fields})


def test_a_filter_asks_visibility_for_all_it_can_tell() -> None:
    chosen = LetterFilter(user='7"', campaign="c" * 300, request_ids=("a", "b"), parked_before=NOON)
    query = chosen.query()
    assert 'OdooUser = "7\\""' in query
    assert f'Campaign = "{"c" * 255}"' in query
    assert 'RequestId IN ("a", "b")' in query
    assert 'StartTime < "2026-01-31T12:00:00+00:00"' in query


@pytest.mark.parametrize(
    ("chosen", "taken"),
    [
        (LetterFilter(), True),
        (LetterFilter(step="deliver"), False),
        (LetterFilter(parked_before=NOON), False),
        (LetterFilter(parked_before=NOON + timedelta(seconds=1)), True),
        (LetterFilter(parked_after=NOON), True),
        (LetterFilter(parked_after=NOON + timedelta(seconds=1)), False),
    ],
)
def test_a_filter_takes_by_step_and_age(chosen: LetterFilter, taken: bool) -> None:
    assert chosen.takes(letter()) is taken


def test_a_filter_names_a_bounded_number_of_requests() -> None:
    with pytest.raises(ValidationError):
        LetterFilter(request_ids=tuple(map(str, range(201))))


def test_a_filter_by_age_takes_no_letter_of_unknown_age() -> None:
    unknown = letter(since=None)
    assert not LetterFilter(parked_before=NOON).takes(unknown)
    assert not LetterFilter(parked_after=NOON).takes(unknown)


@pytest.mark.parametrize(
    ("fields", "decision", "pays"),
    [
        ({}, Redrive(by="a", reason="r"), True),
        ({"step": "deliver", "cause": "CallbackRefused"}, Redrive(by="a", reason="r"), False),
        ({"cause": "OutcomeUnknown"}, Redrive(by="a", reason="r"), False),
        ({"cause": "OutcomeUnknown"}, Redrive(by="a", reason="r", generate_again=True), True),
        ({"cause": "JobTimedOut"}, Redrive(by="a", reason="r"), False),
        ({"cause": "FromTomorrow"}, Redrive(by="a", reason="r"), False),
        ({}, Discard(by="a", reason="r"), False),
    ],
)
def test_when_a_decision_may_pay(fields: dict[str, Any], decision: Redrive | Discard, pays: bool) -> None:
    assert may_pay(letter(**fields), decision) is pays


@pytest.mark.parametrize(("pace", "left", "size"), [(0.1, 9, 1), (1, 9, 2), (10, 100, 20), (1000, 100, 50), (10, 3, 3)])
def test_about_two_seconds_are_decided_at_once(pace: float, left: int, size: int) -> None:
    assert at_once(pace, left) == size


@pytest.mark.parametrize(
    ("fields", "off"),
    [
        ({"counts": Counts(succeeded=8, failed=2)}, False),
        ({"counts": Counts(succeeded=7, failed=3)}, True),
        ({"counts": Counts(succeeded=0, failed=9)}, False),
        ({"counts": Counts(succeeded=0, failed=10), "cursor": 100}, False),
        ({"counts": Counts(succeeded=9, failed=20), "before": Counts(failed=20)}, False),
        ({"counts": Counts(failed=1), "phase": Phase.CANARY, "cursor": 1, "order": order(canary=1)}, True),
        ({"counts": Counts(failed=1), "phase": Phase.CANARY, "cursor": 1, "order": order(canary=2)}, False),
        ({"counts": Counts(failed=1), "phase": Phase.CANARY, "cursor": 2, "open": (1,)}, False),
        ({"counts": Counts(failed=99), "order": order(stop_above=1)}, False),
    ],
)
def test_when_a_batch_breaks_off(fields: dict[str, Any], off: bool) -> None:
    assert breaks_off(state(**fields)) is off


def test_nothing_known_is_no_error() -> None:
    assert error_share(state()) == 0.0


def test_a_change_shows_the_value_before_and_after() -> None:
    redrive = Redrive(by="a", reason="r", edits={"prompt": "schön", "width": None}, service="b", generate_again=True)
    lines = changed(redrive, ImageRequest(prompt="x" * 300, width=64), "a")
    assert lines == (f'prompt: "{"x" * 198}… -> "schön"', "width: 64 -> null", "service: a -> b", "generate again")


def test_the_memo_names_fewer_requests_than_the_report() -> None:
    told = [{"request_id": str(number), "said": "no"} for number in range(50)]
    assert len(report_of(state(told=told)).told) == 50
    assert len(report_of(state(told=told), with_log=False).told) == 10


def test_a_suggestion_is_one_line_with_a_command_that_can_be_pasted() -> None:
    unknown = suggested(letter(request_id="it's; rm", cause="OutcomeUnknown", service="main"), ("main", "spare"))
    assert unknown.endswith(
        """orchestrator dead-letters redrive 'it'"'"'s; rm' --route event --generate-again --reason WHY"""
    )
    assert suggested(letter(service="main"), ("main", "spare")).endswith("--reason WHY (or with --service spare)")
    taken = letter(cause="ConnectFailed", service="main", unpaid=False)
    assert suggested(taken, ("main", "spare")).endswith("--reason WHY"), "another service would be paid beside it"
    assert "Web UI" in suggested(letter(cause=None), ())
