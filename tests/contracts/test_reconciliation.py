"""What the two sides of a request mean together."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.decisions import Parked, Step
from contracts.errors import FailureClass, make_failure
from contracts.reconciliation import (
    Asked,
    Attachment,
    Comparison,
    Finding,
    Handled,
    Kind,
    OdooReport,
    ReconcileReport,
    Repair,
    Result,
)
from contracts.reconciling import compare, copies, moment
from contracts.requests import RecordReference, StoredImage

NOW, GRACE = 10_000.0, 900.0
IMAGE = StoredImage(sha256="ab" * 32, media_type="image/png", size=10, width=8, height=8)
OTHER = StoredImage(sha256="cd" * 32, media_type="image/png", size=11, width=8, height=8)
ATTACHED = Attachment(number=5, sha256=IMAGE.sha256, checksum="1", size=10)


def asked(**changes: Any) -> Asked:
    return Asked(**{"record": 1, "key": "r-1", "state": "sent", "asked_at": 0.0, **changes})


def handled(**changes: Any) -> Handled:
    ended: dict[str, Any] = {"open": False, "outcome": "completed", "quiet_since": 0.0, "images": (IMAGE,)}
    named = {"request_id": "r-1", "route": "event", "dialect": "event", "workflow_id": "event/r-1", "run_id": "run"}
    return Handled(**{**named, **ended, **changes})


def parked(step: Step, failure: FailureClass) -> Handled:
    why = Parked(
        parking=2, step=step, failure=make_failure(failure, "no answer"), since=datetime(2026, 1, 1, tzinfo=UTC)
    )
    return handled(open=True, outcome=None, parked=why)


COMPLETED = asked(state="completed", settled=True, attachments=(ATTACHED,))


def told(one: Asked | None, other: Handled | None) -> list[tuple[Kind, Repair | None, bool]]:
    return [(each.kind, each.repair, each.ordered_only) for each in compare(one, other, NOW, GRACE)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (COMPLETED, handled()),
        (asked(state="queued"), None),
        (asked(state="processing", settled=True), handled()),
        (asked(state="cancelled"), handled()),
        (asked(state="completed", settled=True), None),
        (asked(), handled(open=True, outcome=None)),
        (asked(state="failed", settled=True), parked("generate", FailureClass.QUOTA_EXHAUSTED)),
        (asked(state="rejected", settled=True), handled(outcome="rejected", images=())),
        (None, handled()),
        (None, None),
    ],
    ids=str,
)
def test_sides_that_agree(one: Asked | None, other: Handled | None) -> None:
    assert told(one, other) == []


@pytest.mark.parametrize(
    ("one", "other", "kind", "repair", "ordered_only"),
    [
        (asked(), None, Kind.NEVER_STARTED, Repair.RESEND, False),
        (asked(state="processing"), None, Kind.NEVER_STARTED, Repair.RESEND, False),
        (asked(), handled(), Kind.NEVER_DELIVERED, Repair.REDELIVER, False),
        (asked(state="failed", settled=True), handled(), Kind.NEVER_DELIVERED, Repair.REDELIVER, False),
        (
            asked(state="failed", error_code="IMAGE_EXTRACTION_FAILURE"),
            handled(),
            Kind.NEVER_DELIVERED,
            Repair.REDELIVER,
            True,
        ),
        (asked(), handled(outcome="rejected", images=()), Kind.NEVER_DELIVERED, Repair.REDELIVER, False),
        (asked(), handled(outcome="discarded", images=()), Kind.NEVER_DELIVERED, None, False),
        (asked(), handled(outcome=None, images=()), Kind.NEVER_DELIVERED, Repair.RESEND, True),
        (asked(), parked("deliver", FailureClass.CALLBACK_UNDELIVERABLE), Kind.NEVER_DELIVERED, Repair.REDRIVE, False),
        (asked(), parked("deliver", FailureClass.CALLBACK_REFUSED), Kind.NEVER_DELIVERED, Repair.REDRIVE, True),
        (None, parked("deliver", FailureClass.CALLBACK_UNDELIVERABLE), Kind.NEVER_DELIVERED, None, False),
        (asked(state="completed"), handled(), Kind.NOT_ATTACHED, Repair.REDELIVER, False),
        (
            asked(state="completed"),
            handled(record=RecordReference(model="m", record_id=1, action="")),
            Kind.NOT_ATTACHED,
            Repair.ATTACH,
            True,
        ),
    ],
)
def test_sides_that_disagree(
    one: Asked | None, other: Handled | None, kind: Kind, repair: Repair | None, ordered_only: bool
) -> None:
    assert told(one, other) == [(kind, repair, ordered_only)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (asked(asked_at=NOW - GRACE + 1), None),
        (asked(asked_at=NOW - GRACE + 1), handled()),
        (asked(), handled(quiet_since=NOW - GRACE + 1)),
        (asked(state="completed"), handled(quiet_since=NOW - 1)),
    ],
)
def test_what_changed_within_the_grace_is_in_flight(one: Asked, other: Handled | None) -> None:
    assert told(one, other) == []


@pytest.mark.parametrize("changes", [{"altered": True}, {"size": 9}])
def test_an_image_with_another_content_is_not_attached_and_goes(changes: dict[str, Any]) -> None:
    one = asked(state="completed", attachments=(ATTACHED.model_copy(update=changes),))
    (finding,) = compare(one, handled(), NOW, GRACE)
    assert (finding.kind, finding.attachments, finding.missing) == (Kind.NOT_ATTACHED, (5,), (IMAGE,))


def test_only_adapter_carries_all_images() -> None:
    both = handled(images=(IMAGE, OTHER))
    assert compare(COMPLETED, both, NOW, GRACE) == ()
    (finding,) = compare(COMPLETED, both.model_copy(update={"dialect": "adapter"}), NOW, GRACE)
    assert finding.missing == (OTHER,)


def test_a_copy_goes_and_another_image_is_for_people() -> None:
    copy = Attachment(number=3, checksum="1", size=10)
    stranger = Attachment(number=9, sha256=OTHER.sha256, checksum="2", size=11)
    one = COMPLETED.model_copy(update={"attachments": (copy, ATTACHED, stranger)})
    spare, strange = compare(one, handled(), NOW, GRACE)
    assert (spare.kind, spare.repair, spare.attachments) == (Kind.TWICE, Repair.DEDUPLICATE, (3,))
    assert (strange.kind, strange.repair) == (Kind.TWICE, None)
    assert "attachment 9" in strange.detail


@given(
    st.lists(
        st.builds(
            Attachment,
            number=st.integers(1, 50),
            sha256=st.sampled_from([None, "ab", "cd"]),
            checksum=st.sampled_from(["", "1", "2"]),
            size=st.sampled_from([1, 2]),
        ),
        unique_by=lambda one: one.number,
    )
)
def test_removing_copies_keeps_every_content_once_and_leaves_no_more_to_remove(attachments: list[Attachment]) -> None:
    spare = copies(attachments)
    left = [one for one in attachments if one.number not in spare]
    assert {(one.checksum, one.size) for one in left} == {(one.checksum, one.size) for one in attachments}
    assert copies(left) == []
    assert copies(attachments[::-1]) == spare


@pytest.mark.parametrize(("text", "expected"), [("1970-01-01 00:01:00", 60.0), (False, None), ("soon", None)])
def test_times_of_odoo(text: object, expected: float | None) -> None:
    assert moment(text) == expected


def test_a_report_counts_what_is_left() -> None:
    finding = Finding(kind=Kind.TWICE, request_id="r-1", detail="")
    comparison = Comparison(counts={Kind.TWICE: 3}, findings=(finding,))
    results = (Result(finding=finding, repaired=True), Result(finding=finding))
    report = ReconcileReport(odoos=(OdooReport(odoo="a", database="a", comparison=comparison, results=results),))
    assert (report.left, report.outcome) == (2, "findings_left")
    assert report.counts()["delivered_twice"] == 3
    assert ReconcileReport.model_validate_json(report.model_dump_json()) == report


def test_the_words_for_an_outcome() -> None:
    def of(**changes: Any) -> str:
        return ReconcileReport(odoos=(OdooReport(odoo="a", database="a", **changes),)).outcome

    done = Result(finding=Finding(kind=Kind.TWICE, request_id="r-1", detail=""), repaired=True)
    assert of() == "consistent"
    assert of(problem="Odoo is down") == "not_compared"
    assert of(comparison=Comparison(counts={Kind.TWICE: 1}), results=(done,)) == "repaired"


def test_what_is_repaired_is_noted_per_odoo_request_run_and_parking() -> None:
    finding = Finding(kind=Kind.TWICE, request_id="r-1", detail="", run_id="a")
    keys = [finding.note_key("x"), finding.note_key("y")]
    keys += [finding.model_copy(update=change).note_key("x") for change in ({"parking": 1}, {"run_id": "b"})]
    assert len(set(keys)) == 4
    assert finding.note_key("x") == finding.model_copy(update={"detail": "other"}).note_key("x")
