"""What the local receiver got: outcomes, and which deliveries repeat, contradict or double one. No I/O."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from operations.local.callback_bodies import Notice
from operations.local.image_intake import TakenImage
from operations.local.shelf import Newest

_REMEMBERED = 20_000
"""Outcomes, and idempotency keys."""


class Standing(StrEnum):
    """How a delivery stands to the earlier ones."""

    NEW = "new"
    REPEATED = "repeated"
    """Same key, same body: answered again, not applied again."""
    CONFLICT = "conflict"
    """Same key, another body."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One callback request, before its body is judged."""

    dialect: str
    key: str | None
    """The Idempotency-Key header."""
    digest: str
    """Of the body."""
    correlation: str | None
    """The X-Correlation-Id header."""
    traceparent: str | None
    at: float
    """Epoch seconds."""

    @property
    def scoped_key(self) -> tuple[str, str] | None:
        """The key within its dialect, or None where there is none."""
        return (self.dialect, self.key) if self.key else None


@dataclass(frozen=True, slots=True)
class _Outcome:
    delivery: Delivery
    description: Mapping[str, object]


class Ledger:
    """Outcomes in order of arrival, newest kept, and the counts that tests and people ask for."""

    def __init__(self) -> None:
        self._outcomes: deque[_Outcome] = deque(maxlen=_REMEMBERED)
        self._digests: Newest[tuple[str, str], str] = Newest(_REMEMBERED)
        self._attempts: Newest[tuple[str, str], int] = Newest(_REMEMBERED)
        self._completed: Newest[tuple[str, str], bool] = Newest(_REMEMBERED)
        self._counts: Counter[str] = Counter()

    def attempted(self, delivery: Delivery) -> None:
        """Count a delivery attempt, whatever becomes of it."""
        if delivery.scoped_key:
            self._attempts.put(delivery.scoped_key, self._tries(delivery) + 1)

    def standing(self, delivery: Delivery) -> Standing:
        """How a delivery stands to those applied so far; counts nothing."""
        known = self._digests.get(delivery.scoped_key) if delivery.scoped_key else None
        if known is None:
            return Standing.NEW
        return Standing.REPEATED if known == delivery.digest else Standing.CONFLICT

    def settle(self, delivery: Delivery, notice: Notice, images: Sequence[TakenImage]) -> Standing:
        """Apply a delivery if it is new; a second outcome after a completed one counts as a duplicate."""
        standing = self.standing(delivery)
        if standing is Standing.NEW:
            self._apply(delivery, notice, images)
        return standing

    def _apply(self, delivery: Delivery, notice: Notice, images: Sequence[TakenImage]) -> None:
        request = (delivery.dialect, notice.request_id)
        completed_before = bool(self._completed.get(request))
        self._counts["duplicates"] += completed_before
        self._counts["total"] += 1
        self._completed.put(request, completed_before or notice.completed)
        if delivery.scoped_key:
            self._digests.put(delivery.scoped_key, delivery.digest)
        self._outcomes.append(_Outcome(delivery, _described(delivery, notice, images)))

    def count(self, standing: Standing) -> None:
        """Count a delivery that was answered as repeated or as a conflict."""
        self._counts[standing] += 1

    def refuse(self) -> None:
        """Count a delivery that was refused: credentials, body or image."""
        self._counts["refused"] += 1

    def report(self, limit: int | None = None) -> Mapping[str, object]:
        """The outcomes (oldest first, at most the newest `limit`) and the counts, as JSON."""
        outcomes = list(self._outcomes)
        shown = outcomes if limit is None else outcomes[max(0, len(outcomes) - limit) :]
        return {
            "outcomes": [{**one.description, "attempts": self._tries(one.delivery)} for one in shown],
            "total": self._counts["total"],
            "repeated": self._counts[Standing.REPEATED],
            "conflicts": self._counts[Standing.CONFLICT],
            "duplicates": self._counts["duplicates"],
            "refused": self._counts["refused"],
        }

    def _tries(self, delivery: Delivery) -> int:
        return (self._attempts.get(delivery.scoped_key) if delivery.scoped_key else None) or 0


def _described(delivery: Delivery, notice: Notice, images: Sequence[TakenImage]) -> Mapping[str, object]:
    first = images[0] if images else None
    return {
        "request_id": notice.request_id,
        "dialect": delivery.dialect,
        "status": "completed" if notice.completed else "failed",
        "error_code": notice.error_code,
        "error_message": notice.error_message,
        "image_sha256": first and first.sha256,
        "media_type": first and first.media_type,
        "width": first and first.width,
        "height": first and first.height,
        "bytes": first and len(first.content),
        "all_image_sha256": [image.sha256 for image in images],
        "idempotency_key": delivery.key,
        "at": delivery.at,
        "correlation": delivery.correlation,
        "traceparent": delivery.traceparent,
    }
