"""What an operator may decide, and why not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import JsonValue, ValidationError

from contracts.decisions import Decision, Discard, Parked, Redrive, Step, edited, refusal, unsaid_payment
from contracts.errors import FailureClass, make_failure
from contracts.requests import ImageRequest

REQUEST = ImageRequest(prompt="a red fox", seed=42, custom={"sampler": "euler"})
SERVICES = ("flux", "spare")


def _parked(step: Step = "generate") -> Parked:
    failure = make_failure(FailureClass.QUOTA_EXHAUSTED, "no credit")
    return Parked(parking=2, step=step, failure=failure, since=datetime(2026, 1, 1, tzinfo=UTC))


def _redrive(**fields: object) -> Redrive:
    return Redrive.model_validate({"by": "operator", "reason": "test", **fields})


def _discard(**fields: object) -> Discard:
    return Discard.model_validate({"by": "operator", "reason": "test", **fields})


@pytest.mark.parametrize(
    ("decision", "step"),
    [
        (_redrive(), "generate"),
        (_redrive(), "deliver"),
        (_redrive(parking=2), "generate"),
        (_redrive(service="spare"), "generate"),
        (_redrive(generate_again=True), "generate"),
        (_redrive(edits={"prompt": "a blue fox", "seed": None, "width": "512"}), "generate"),
        (_redrive(edits={}), "deliver"),
        (_discard(), "generate"),
        (_discard(parking=2), "deliver"),
    ],
)
def test_may_be_taken(decision: Decision, step: Step) -> None:
    assert refusal(decision, _parked(step), REQUEST, SERVICES) is None


@pytest.mark.parametrize(
    ("decision", "step", "words"),
    [
        (_redrive(parking=1), "generate", "parking 1, but the request is in parking 2"),
        (_discard(parking=3), "deliver", "parking 3, but the request is in parking 2"),
        (_redrive(service="spare"), "deliver", "only the callback"),
        (_redrive(generate_again=True), "deliver", "only the callback"),
        (_redrive(edits={"seed": 1}), "deliver", "only the callback"),
        (_redrive(service="unknown"), "generate", "unknown image service 'unknown'; configured: flux, spare"),
        (_redrive(edits={"sead": 1}), "generate", "no such field: sead; editable: aspect_ratio, campaign_id"),
        (_redrive(edits={"width": "wide"}), "generate", "width: "),
        (_redrive(edits={"prompt": None}), "generate", "prompt: "),
        (_redrive(edits={"prompt": "  "}), "generate", "prompt: must not be empty"),
    ],
)
def test_may_not_be_taken(decision: Decision, step: Step, words: str) -> None:
    assert words in (refusal(decision, _parked(step), REQUEST, SERVICES) or "")


@pytest.mark.parametrize("decision", [_redrive(), _discard()])
def test_nothing_is_decided_about_a_request_that_is_not_parked(decision: Decision) -> None:
    assert refusal(decision, None, REQUEST) == "the request is not parked: there is nothing to decide"


def test_a_rejected_request_cannot_be_edited() -> None:
    assert refusal(_redrive(edits={"seed": 1}), _parked(), None) == "a rejected request has nothing to edit"


def test_without_a_list_any_service_may_be_named() -> None:
    assert refusal(_redrive(service="anything"), _parked(), REQUEST) is None


@pytest.mark.parametrize(
    ("decision", "pays"),
    [
        (_redrive(), False),
        (_redrive(edits={}), False),
        (_redrive(edits={"seed": 1}), True),
        (_redrive(service="spare"), True),
        (_redrive(generate_again=True), True),
    ],
)
def test_only_a_changed_redrive_may_pay_anew(decision: Redrive, *, pays: bool) -> None:
    assert decision.pays_anew is pays


@pytest.mark.parametrize("unpaid", [True, False, None])
@pytest.mark.parametrize("failure", FailureClass)
@pytest.mark.parametrize(
    ("decision", "unsaid"),
    [
        (_redrive(), False),
        (_redrive(edits={"seed": 1}), True),
        (_redrive(service="spare"), True),
        (_redrive(service="spare", generate_again=True), False),
        (Discard(by="op", reason="r"), False),
    ],
)
def test_a_payment_beside_one_that_may_have_been_made_must_be_said(
    decision: Decision, failure: FailureClass, *, unsaid: bool, unpaid: bool | None
) -> None:
    parked = _parked().model_copy(update={"failure": make_failure(failure, "it failed", unpaid=unpaid)})
    said = unsaid_payment(decision, parked)
    unknown = failure in {FailureClass.OUTCOME_UNKNOWN, FailureClass.JOB_LOST, FailureClass.JOB_TIMED_OUT}
    doubtful = unpaid is False or (failure is FailureClass.INTERNAL and unpaid is None)
    assert (said is not None) == (unsaid and (unknown or doubtful))
    assert said is None or str(failure) in said
    assert unsaid_payment(decision, None) is None


@pytest.mark.parametrize(
    ("edits", "changes"),
    [
        (None, {}),
        ({}, {}),
        ({"seed": None}, {"seed": None}),
        ({"prompt": "a blue fox", "cfg_scale": "7.5"}, {"prompt": "a blue fox", "cfg_scale": 7.5}),
        ({"custom": {"steps": 3}}, {"custom": {"steps": 3}}),
    ],
)
def test_edits_change_what_they_name(edits: dict[str, JsonValue] | None, changes: dict[str, JsonValue]) -> None:
    assert edited(REQUEST, edits) == REQUEST.model_copy(update=changes)


def test_a_wrong_edit_is_an_error() -> None:
    with pytest.raises(ValidationError):
        edited(REQUEST, {"width": "wide"})


@pytest.mark.parametrize("decision", [_redrive(edits={"seed": 1}, service="spare"), _discard(parking=1)])
def test_decisions_travel_as_json(decision: Redrive | Discard) -> None:
    assert type(decision).model_validate_json(decision.model_dump_json()) == decision
