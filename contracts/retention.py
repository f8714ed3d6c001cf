"""What may go from the store, and when. Pure: times come in as epoch seconds.

Three rules keep what is still needed:

1. An image is at least as young as every manifest that names it: storing it again, and finding an old record of a
   request again, renew it (`RENEWAL_S`). So only the manifests of requests that are open can need an old image.
2. Nothing of an open request goes, whatever its age.
3. A deletion is announced before the last look at the image's age. Who stores the same bytes meanwhile either is seen
   by that look, or sees the announcement, waits until the deletion cannot come any more, and stores them again.
"""

from __future__ import annotations

import re
from typing import Literal

from contracts.model import Frozen

MARGIN_S = 2 * 86_400.0
"""Seconds kept beyond what a route needs: the age at which renewals begin, and as long for the steps between storing
an image and posting it."""
RENEWAL_S = 86_400.0
"""Seconds from which on a record or an image that is used again is renewed."""
ANNOUNCED_S = 10.0
"""Seconds after its announcement in which a deletion may still be sent."""
DELETE_TIMEOUT_S = 10.0
"""Seconds for the deletion itself; it is sent once."""
SETTLED_S = 30.0
"""Seconds after which an announced deletion has happened or never will."""
ANNOUNCEMENT_KEPT_S = 3600.0
"""Seconds an announcement stands: far longer than storing an image takes."""

Phase = Literal["announcements", "requests", "images"]
"""What a sweep goes through, in this order."""

FOLDERS: dict[Phase, str] = {"announcements": "deletions", "requests": "requests", "images": "images"}
"""Where each phase's keys are."""

_IMAGE = re.compile(r"images/[0-9a-f]{2}/([0-9a-f]{64})")
_RECORD = re.compile(r"requests/[0-9a-f]{2}/([0-9a-f]{64})/.+")


class SweepOrder(Frozen):
    """The input of the workflow `store-retention`."""

    dry_run: bool = False
    """Whether nothing is deleted: the report says what would be."""


class SweepReport(Frozen):
    """What a sweep deleted and kept."""

    dry_run: bool = False
    requests_deleted: int = 0
    """Requests whose records went; each generation of its own counts."""
    requests_kept: int = 0
    images_deleted: int = 0
    images_kept: int = 0
    bytes_deleted: int = 0
    """Bytes of images."""
    bytes_kept: int = 0


class SweepCursor(Frozen):
    """How far a sweep has come: a later attempt goes on from here."""

    phase: Phase = "announcements"
    after: str = ""
    """The last key of this phase that is done."""
    report: SweepReport = SweepReport()


def needed_s(park_s: float, deliver_s: float, url_ttl_s: float) -> float:
    """Seconds that a route needs its images for: one parking, one delivery, the validity of its URLs, the margin."""
    return park_s + deliver_s + url_ttl_s + MARGIN_S


def record_owner(key: str) -> str | None:
    """The store key of the request that a record belongs to; None for what is no record."""
    found = _RECORD.fullmatch(key)
    return found[1] if found else None


def image_digest(key: str) -> str | None:
    """The SHA-256 of the image under that key; None for what is no image."""
    found = _IMAGE.fullmatch(key)
    return found[1] if found else None


def request_folder(store_key: str) -> str:
    """Where the records of a request are."""
    return f"requests/{store_key[:2]}/{store_key}"


def announcement_key(digest: str) -> str:
    """Where the deletion of an image is announced."""
    return f"deletions/{digest[:2]}/{digest}"


def is_due(modified_at: float, cutoff: float, *, needed: bool) -> bool:
    """Whether a record or image may go: older than the cutoff, and nobody that is open needs it."""
    return modified_at < cutoff and not needed


def needs_renewal(modified_at: float, now: float) -> bool:
    """Whether what is used again has to be renewed, so that its time begins anew."""
    return now - modified_at > RENEWAL_S


def is_announced(announced_at: float | None, now: float) -> bool:
    """Whether a deletion with that announcement (None = none) may still come."""
    return announced_at is not None and now - announced_at < ANNOUNCEMENT_KEPT_S
