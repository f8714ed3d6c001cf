"""One sweep of the store: goes through it once, in the order of the keys, and deletes what is due."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import get_args

from activities.open_requests import OpenRequests
from contracts.retention import (
    ANNOUNCED_S,
    ANNOUNCEMENT_KEPT_S,
    FOLDERS,
    Phase,
    SweepCursor,
    SweepReport,
    announcement_key,
    image_digest,
    is_due,
    record_owner,
)
from runtime.blobs import BlobEntry, BlobStore

BATCH = 200
"""Requests or images that are held in memory, and done before the cursor moves on."""
AT_ONCE = 16
"""Of them so many at the same time."""

Group = list[BlobEntry]
"""What is decided together: an image, or all records of one request."""


class Sweep:
    """Deletes what is older than `cutoff` (epoch seconds) and needed by nobody."""

    def __init__(self, blobs: BlobStore, needed: OpenRequests, cutoff: float, *, dry_run: bool) -> None:
        self._blobs = blobs
        self._needed = needed
        self._cutoff = cutoff
        self._dry_run = dry_run
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def run(self, cursor: SweepCursor, progress: Callable[[SweepCursor], None]) -> SweepReport:
        """Sweep from the cursor on; `progress` hears of every batch.

        Raises `OSError` where the store fails; what is before the cursor that was told last is done.
        """
        phases: tuple[Phase, ...] = get_args(Phase)
        for phase in phases[phases.index(cursor.phase) :]:
            if phase != cursor.phase:
                cursor = SweepCursor(phase=phase, report=cursor.report)
            async for batch in _batches(self._blobs.list(FOLDERS[phase], cursor.after)):
                total = _sum([cursor.report, *await self._decide_all(phase, batch)])
                cursor = SweepCursor(phase=phase, after=batch[-1][-1].key, report=total)
                progress(cursor)
        return cursor.report.model_copy(update={"dry_run": self._dry_run})

    async def _decide_all(self, phase: Phase, batch: list[Group]) -> list[SweepReport]:
        # All come to their end before one's failure is raised: nothing is deleted behind the activity's back.
        ended = await asyncio.gather(*(self._decide(phase, group) for group in batch), return_exceptions=True)
        for failure in ended:
            if isinstance(failure, BaseException):
                raise failure
        return [report for report in ended if isinstance(report, SweepReport)]

    async def _decide(self, phase: Phase, group: Group) -> SweepReport:
        steps: dict[Phase, Callable[[Group], Awaitable[SweepReport]]] = {
            "announcements": self._announcement,
            "requests": self._request,
            "images": self._image,
        }
        async with self._slots:
            return await steps[phase](group)

    # --- announcements ------------------------------------------------------------------------------------------

    async def _announcement(self, group: Group) -> SweepReport:
        """Announcements of earlier sweeps, whose deletions have long happened."""
        if not self._dry_run and group[0].modified_at < time.time() - ANNOUNCEMENT_KEPT_S:
            await self._blobs.delete(group[0].key)
        return SweepReport()

    # --- records of requests ------------------------------------------------------------------------------------

    async def _request(self, group: Group) -> SweepReport:
        owner = record_owner(group[0].key)
        if owner is None:
            return SweepReport()
        needed = self._needed.has_records(owner)
        if needed or not self._all_due(group) or not (self._dry_run or await self._delete_records(group)):
            return SweepReport(requests_kept=1)
        return SweepReport(requests_deleted=1)

    async def _delete_records(self, group: Group) -> bool:
        # Looked at again: a request that was sent again meanwhile has renewed its records.
        fresh = await _entries(self._blobs, group[0].key)
        if not self._all_due(fresh):
            return False
        # The manifest before the marker: what is left of an interrupted deletion never allows a second payment.
        for entry in sorted(fresh, key=lambda entry: entry.key):
            await self._blobs.delete(entry.key)
        return True

    def _all_due(self, group: Iterable[BlobEntry]) -> bool:
        return all(is_due(entry.modified_at, self._cutoff, needed=False) for entry in group)

    # --- images -------------------------------------------------------------------------------------------------

    async def _image(self, group: Group) -> SweepReport:
        entry = group[0]
        digest = image_digest(entry.key)
        if digest is None:
            return SweepReport()
        due = is_due(entry.modified_at, self._cutoff, needed=self._needed.has_image(digest))
        if due and (self._dry_run or await self._delete_image(entry.key, digest)):
            return SweepReport(images_deleted=1, bytes_deleted=entry.size)
        return SweepReport(images_kept=1, bytes_kept=entry.size)

    async def _delete_image(self, key: str, digest: str) -> bool:
        """Delete an image unless it was stored again; see rule 3 of contracts/retention.py."""
        begun = time.monotonic()
        await self._blobs.write(announcement_key(digest), b"")
        found = await self._blobs.stat(key)
        still_due = found is not None and is_due(found.modified_at, self._cutoff, needed=False)
        if not still_due or time.monotonic() - begun > ANNOUNCED_S:
            return False
        await self._blobs.delete(key)
        return True


async def _batches(entries: AsyncIterator[BlobEntry]) -> AsyncIterator[list[Group]]:
    """Entries grouped by what is decided together; no group is torn apart."""
    batch: list[Group] = []
    async for entry in entries:
        owner = record_owner(entry.key)
        if batch and owner is not None and owner == record_owner(batch[-1][-1].key):
            batch[-1].append(entry)
            continue
        if len(batch) == BATCH:
            yield batch
            batch = []
        batch.append([entry])
    if batch:
        yield batch


async def _entries(blobs: BlobStore, key: str) -> Group:
    """All records of the request that a record belongs to."""
    folder = "/".join(key.split("/")[:3])
    return [entry async for entry in blobs.list(folder)]


def _sum(reports: Iterable[SweepReport]) -> SweepReport:
    totals: dict[str, int] = {}
    for report in reports:
        for name, count in report.model_dump().items():
            totals[name] = totals.get(name, 0) + count
    return SweepReport.model_validate({**totals, "dry_run": False})
