"""The spend ledger in the blob store: one small object per entry, created once and never changed.

    ledger/<day of the call>/<xx>/<store key>-<generation>-<call>-<state>.json
    ledger/<day of the call>/<sha-256>.jsonl       the entries of a finished day, compacted

The names are derived, so an attempt that writes an entry again changes nothing. All entries of a call lie under the
day of the call, however late they are: one day's folder tells everything about that day's calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime
from typing import TypeVar

import structlog
from pydantic import ValidationError
from temporalio import activity

from activities.measuring import count_call
from activities.records import Marker
from contracts import names
from contracts.identity import sha256_hex
from contracts.requests import Cost, GenerateInput
from contracts.spend import CompactLedgerInput, SpendEntry, SpendState, merged
from runtime.blobs import BlobStore

log = structlog.get_logger(__name__)

_T = TypeVar("_T")

ROOT = "ledger"
_AT_ONCE = 64
"""Reads and deletions at once."""


class Ledger:
    """Writes and reads the entries."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    async def intend(self, call: GenerateInput, marker: Marker) -> None:
        """Write that a call is about to be sent; raises OSError, and then it must not be."""
        await self._create(call, spend_entry(call, marker, SpendState.INTENT))

    async def note(
        self,
        call: GenerateInput,
        marker: Marker,
        state: SpendState,
        images: int | None = None,
        cost: Cost | None = None,
    ) -> None:
        """Write what became of a call. The ledger is no reason to lose an image: a failure is only logged."""
        entry = spend_entry(call, marker, state, images, cost)
        try:
            await self._create(call, entry)
        except OSError as error:
            log.warning("ledger_entry_lost", reason=str(error), state=state, key=_key(entry))

    async def _create(self, call: GenerateInput, entry: SpendEntry) -> None:
        if await self._blobs.create(_key(entry), _line(entry)) and activity.in_activity():
            count_call(call.reference.dialect, entry)

    async def days(self) -> list[date]:
        """The days that have entries, in order."""
        folders = {entry.key.split("/")[1] async for entry in self._blobs.list(ROOT)}
        return sorted(date.fromisoformat(folder) for folder in folders)

    async def entries(self, day: date) -> list[SpendEntry]:
        """What is known of that day's calls, each entry once, in order of time."""
        while True:
            read = await self._read([entry.key async for entry in self._blobs.list(_folder(day))])
            if None not in read.values():
                return merged(entry for entries in read.values() for entry in entries or ())
            # Compacted meanwhile: the entries now stand elsewhere.

    async def compact(self, day: date, beat: Callable[[], None] = lambda: None) -> int:
        """Put the entries of a day into one object; returns how many, 0 where they are in one already.

        Safe at any time, also twice at once: what is removed stands whole in an object that this call has written.
        `beat` is called while it goes on.
        """
        keys = [entry.key async for entry in self._blobs.list(_folder(day))]
        if len(keys) == 1 and keys[0].endswith(".jsonl"):
            return 0
        read = await self._read(keys, beat)
        readable = {key: entries for key, entries in read.items() if entries}
        entries = merged(entry for entries in readable.values() for entry in entries)
        data = b"".join(_line(entry) + b"\n" for entry in entries)
        whole = f"{_folder(day)}/{sha256_hex(data)}.jsonl"
        if len(readable) > 1:
            await self._blobs.create(whole, data)
            await _each(self._blobs.delete, [key for key in readable if key != whole], beat)
        return len(entries)

    async def _read(
        self, keys: list[str], beat: Callable[[], None] = lambda: None
    ) -> dict[str, list[SpendEntry] | None]:
        """The entries of each object; None for one that is gone, none for one that cannot be read."""
        found = await _each(self._blobs.read, keys, beat)
        return {key: _parsed(key, data) for key, data in zip(keys, found, strict=True)}


class LedgerActivities:
    """The activity that keeps the ledger small."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @activity.defn(name=names.COMPACT_LEDGER)
    async def compact_ledger(self, order: CompactLedgerInput) -> int:
        """Compact every finished day; returns how many entries were moved."""
        before = order.before or datetime.now(UTC).date()
        entries = 0
        for day in await self._ledger.days():
            if day < before:
                entries += await self._ledger.compact(day, activity.heartbeat)
        return entries


def spend_entry(
    call: GenerateInput, marker: Marker, state: SpendState, images: int | None = None, cost: Cost | None = None
) -> SpendEntry:
    """What has just become known of the call that the marker is about."""
    now = datetime.now(UTC)
    return SpendEntry(
        at=now,
        state=state,
        # A marker that could not be read does not say when its call was.
        begun=datetime.fromtimestamp(marker.sent_at, UTC) if marker.sent_at else now,
        call=marker.call,
        number=marker.calls,
        service=call.service,
        route=call.route,
        odoo=call.odoo,
        user_id=call.request.user_id,
        campaign_id=call.request.campaign_id,
        request_id=call.reference.request_id,
        store_key=call.store_key,
        generation=call.generation,
        job_id=marker.job.job_id if marker.job else None,
        provider_request_id=marker.provider_request_id,
        images=images,
        cost=cost.amount if cost else None,
        currency=cost.currency if cost else None,
        reported=cost.reported if cost else None,
    )


def _folder(day: date) -> str:
    return f"{ROOT}/{day.isoformat()}"


def _key(entry: SpendEntry) -> str:
    name = f"{entry.store_key}-{entry.generation}-{entry.call}-{entry.state}.json"
    return f"{_folder(entry.day)}/{entry.store_key[:2]}/{name}"


def _line(entry: SpendEntry) -> bytes:
    return entry.model_dump_json().encode()


def _parsed(key: str, data: bytes | None) -> list[SpendEntry] | None:
    if data is None:
        return None
    try:
        return [SpendEntry.model_validate_json(line) for line in data.splitlines()]
    except ValidationError:
        log.warning("ledger_entry_unreadable", key=key)
        return []


async def _each(work: Callable[[str], Awaitable[_T]], keys: Sequence[str], beat: Callable[[], None]) -> list[_T]:
    """`work` on every key, some at once."""
    done: list[_T] = []
    for start in range(0, len(keys), _AT_ONCE):
        beat()
        done += await asyncio.gather(*(work(key) for key in keys[start : start + _AT_ONCE]))
    return done
