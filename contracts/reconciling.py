"""What two sides of a request that disagree mean, and what brings them together. Pure: times are epoch seconds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.errors import FailureClass
from contracts.reconciliation import Asked, Attachment, Finding, Handled, Kind, Repair
from contracts.requests import Outcome, StoredImage

CARRY_ALL = frozenset({"adapter", "odoo_action"})
"""The dialects whose outcome has every image; the others have the first."""
_TOLD = frozenset({Outcome.REJECTED, Outcome.CANCELLED})
"""How a request ends of whose failure Odoo is told."""
_UNTOLD = frozenset({Outcome.DISCARDED, Outcome.EXPIRED})


def compare(asked: Asked | None, handled: Handled | None, now: float, grace_s: float) -> tuple[Finding, ...]:
    """What is wrong between the two sides of one request; None = that side does not know it.

    Whatever changed less than `grace_s` ago is in flight and never wrong.
    """
    if asked is not None and now - asked.asked_at < grace_s:
        return ()
    if handled is None:
        return (_never_started(asked),) if asked is not None and asked.waits else ()
    if now - handled.quiet_since < grace_s:
        return ()
    undelivered = _never_delivered(asked, handled)
    if undelivered is not None:
        return (undelivered,)
    if asked is None or asked.state != "completed" or handled.outcome != Outcome.COMPLETED:
        return ()
    found = [_not_attached(asked, handled), _copies(asked, handled), _strangers(asked, handled)]
    return tuple(finding for finding in found if finding is not None)


def expected(handled: Handled) -> Sequence[StoredImage]:
    """The images that Odoo was sent."""
    return handled.images if handled.dialect in CARRY_ALL else handled.images[:1]


def copies(attachments: Sequence[Attachment]) -> list[int]:
    """The attachments that are exact copies of another one, which stays: the one that Odoo names, else the oldest."""
    kept: dict[tuple[str, int], int] = {}
    ordered = sorted(attachments, key=lambda one: (one.sha256 is None, one.number))
    for each in ordered:
        kept.setdefault((each.checksum, each.size), each.number)
    return sorted(each.number for each in ordered if each.checksum and kept[each.checksum, each.size] != each.number)


def altered(asked: Asked, images: Sequence[StoredImage]) -> list[int]:
    """The attachments that stand for one of the images, but are not it any more."""
    return [
        each.number
        for each in asked.attachments
        for image in images
        if each.holds(image) and (each.altered or each.size != image.size)
    ]


def _never_started(asked: Asked) -> Finding:
    return Finding(
        kind=Kind.NEVER_STARTED,
        request_id=asked.key,
        record=asked.record,
        detail=f"Odoo says {asked.state}, but no workflow has this id.",
        repair=Repair.RESEND,
    )


def _never_delivered(asked: Asked | None, handled: Handled) -> Finding | None:
    if handled.open:
        return _parked(asked, handled)
    if asked is None:
        return None
    if handled.outcome == Outcome.COMPLETED:
        if asked.state in {"completed", "cancelled"} or asked.downloads:
            return None
        lost = asked.error_code == "IMAGE_EXTRACTION_FAILURE"
        detail = f"The workflow completed, but Odoo says {asked.state}."
        return _undelivered(asked, handled, detail, Repair.REDELIVER, ordered_only=lost)
    return _ended(asked, handled) if asked.waits else None


def _parked(asked: Asked | None, handled: Handled) -> Finding | None:
    parked = handled.parked
    if parked is None or parked.step != "deliver":
        return None
    detail = f"The delivery is parked: {parked.failure.message}"
    if asked is None:
        return _undelivered(None, handled, f"{detail} Odoo has no such request: discard it, or restore it.", None)
    # What Odoo has refused it would refuse again, until somebody changes something.
    refused = parked.failure.failure is not FailureClass.CALLBACK_UNDELIVERABLE
    return _undelivered(asked, handled, detail, Repair.REDRIVE, ordered_only=refused)


def _ended(asked: Asked, handled: Handled) -> Finding:
    said = f"The workflow ended {handled.outcome or 'without an outcome'}, but Odoo says {asked.state}."
    if handled.outcome in _TOLD:
        return _undelivered(asked, handled, said, Repair.REDELIVER)
    if handled.outcome in _UNTOLD:
        return _undelivered(asked, handled, f"{said} Odoo's own check notes it; cancel or retry it there.", None)
    # Whoever terminated it may have had a reason: sending it again starts it anew.
    return _undelivered(asked, handled, said, Repair.RESEND, ordered_only=True)


def _undelivered(
    asked: Asked | None, handled: Handled, detail: str, repair: Repair | None, *, ordered_only: bool = False
) -> Finding:
    return _finding(Kind.NEVER_DELIVERED, asked, handled, detail).model_copy(
        update={
            "repair": repair,
            "ordered_only": ordered_only,
            "parking": handled.parked.parking if handled.parked else 0,
        }
    )


def _not_attached(asked: Asked, handled: Handled) -> Finding | None:
    wanted = expected(handled)
    wrong = altered(asked, wanted)
    missing = [
        image
        for image in wanted
        if not any(each.holds(image) and each.number not in wrong for each in asked.attachments)
    ]
    if not missing:
        return None
    what = "another content than was delivered" if wrong else "not attached"
    detail = f"Odoo says completed, but {len(missing)} of {len(wanted)} image(s): {what}."
    repair = Repair.ATTACH if handled.record else Repair.REDELIVER
    changes = {
        "repair": repair,
        # Without the addon nobody can tell a lost image from one that somebody has removed.
        "ordered_only": repair is Repair.ATTACH,
        "attachments": tuple(wrong),
        "missing": tuple(missing),
    }
    return _finding(Kind.NOT_ATTACHED, asked, handled, detail).model_copy(update=changes)


def _copies(asked: Asked, handled: Handled) -> Finding | None:
    # Without the addon a record may have asked several times: what else is attached to it is none of this request.
    spare = copies(asked.attachments) if handled.record is None else []
    if not spare:
        return None
    detail = f"Odoo has {len(spare)} exact copy or copies of an image of this request."
    changes = {"repair": Repair.DEDUPLICATE, "attachments": tuple(spare)}
    return _finding(Kind.TWICE, asked, handled, detail).model_copy(update=changes)


def _strangers(asked: Asked, handled: Handled) -> Finding | None:
    if handled.record is not None:
        return None
    strange = [each.number for each in asked.attachments if each.sha256 and not any(map(each.holds, expected(handled)))]
    if not strange:
        return None
    numbers = ", ".join(map(str, strange))
    detail = f"Odoo has another image than the one that was delivered: attachment {numbers}. Look which one is right."
    return _finding(Kind.TWICE, asked, handled, detail)


def _finding(kind: Kind, asked: Asked | None, handled: Handled, detail: str) -> Finding:
    return Finding(
        kind=kind,
        request_id=handled.request_id,
        detail=detail,
        record=asked.record if asked else None,
        workflow_id=handled.workflow_id,
        run_id=handled.run_id,
        route=handled.route,
        target=handled.record,
    )


def moment(text: object) -> float | None:
    """Epoch seconds of a time as Odoo writes it (UTC without a zone), None where there is none."""
    if not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(f"{text}+00:00").timestamp()
    except ValueError:
        return None
