"""What the calls of some days cost, read from the ledger in the store. Needs neither Temporal nor a worker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from activities.ledger import Ledger
from contracts.spend import GroupBy, SpendCall, SpendRow, calls_of, row_of, summed
from runtime.blobs import BlobStore


@dataclass(frozen=True, slots=True)
class Spend:
    """The calls that were made on the days from `first` to `last` (UTC), both included."""

    first: date
    last: date
    calls: tuple[SpendCall, ...]

    def rows(self, by: GroupBy) -> list[SpendRow]:
        """One row per group."""
        return summed(self.calls, by)

    @property
    def total(self) -> SpendRow:
        """All of them in one row."""
        return row_of("total", list(self.calls))

    @property
    def unknown(self) -> list[SpendCall]:
        """The calls that may have been paid for, or are still running."""
        return [call for call in self.calls if call.standing == "unknown"]


async def read_spend(blobs: BlobStore, first: date, last: date) -> Spend:
    """What the ledger tells of those days."""
    ledger = Ledger(blobs)
    days = [day for day in await ledger.days() if first <= day <= last]
    entries = [entry for day in days for entry in await ledger.entries(day)]
    return Spend(first, last, tuple(calls_of(entries)))
