"""The spend ledger: what each call to an image service cost, entry by entry, and what that comes to. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from contracts.model import Frozen

GroupBy = Literal["user", "campaign", "service", "day", "odoo", "route"]
"""What spend is summed by."""
NOBODY = "-"
"""The group of the calls that name no user, campaign or Odoo."""


class CompactLedgerInput(Frozen):
    """The input of `compact-ledger`."""

    before: date | None = None
    """Days from here on are left alone. Not set = today (UTC), which is not over."""


class SpendState(StrEnum):
    """How far a call came. Each is written once, when it becomes known."""

    INTENT = "intent"
    """About to be sent."""
    SENT = "sent"
    """The whole request has left this host."""
    ACCEPTED = "accepted"
    """The service answered with images, or took a job."""
    STORED = "stored"
    """The images are in the store."""
    UNKNOWN = "unknown"
    """It may have been paid for: neither images nor a refusal are known, or what came cannot be used."""
    REFUSED = "refused"
    """It is proved that nothing was made, even where a job was taken before."""


Standing = Literal["paid", "unpaid", "unknown"]
"""What a call's entries say together; a call that is still running is unknown."""


class SpendEntry(Frozen):
    """One thing that became known of one call."""

    at: datetime
    state: SpendState
    begun: datetime
    """When the call was made; its day is the ledger's day of all its entries."""
    call: str
    """Names the call: a second one of the same generation has another name."""
    number: int
    """Which call of its generation, from 1."""
    service: str
    route: str
    odoo: str | None = None
    user_id: str | None = None
    campaign_id: str | None = None
    request_id: str
    store_key: str
    generation: int
    job_id: str | None = None
    provider_request_id: str | None = None
    images: int | None = None
    cost: Decimal | None = None
    currency: str | None = None
    """ISO 4217, or the service's own unit."""
    reported: bool | None = None
    """Whether the service said what it cost; else it is the configured price."""

    @property
    def day(self) -> date:
        """The day (UTC) that the call belongs to."""
        return self.begun.astimezone(UTC).date()

    @property
    def identity(self) -> tuple[str, int, str, SpendState]:
        """What two records of the same thing have in common."""
        return self.store_key, self.generation, self.call, self.state


@dataclass(frozen=True, slots=True)
class SpendCall:
    """One call, from all of its entries."""

    entry: SpendEntry
    """The one that knows most."""
    standing: Standing
    sent: bool
    """Whether it is known to have left this host."""
    images: int
    priced: SpendEntry | None
    """The entry that says what it cost."""


@dataclass(frozen=True, slots=True)
class SpendRow:
    """What the calls of one group come to."""

    group: str
    calls: int
    images: int
    paid: int
    unknown: int
    cost: Mapping[str, Decimal]
    """By currency; paid calls only."""
    estimated: bool
    """Whether some of the cost is the configured price in place of the service's word."""


def merged(entries: Iterable[SpendEntry]) -> list[SpendEntry]:
    """Each entry once, in order of time: a repeated attempt may have written one again."""
    unique: dict[tuple[str, int, str, SpendState], SpendEntry] = {}
    for entry in sorted(entries, key=lambda entry: entry.at):
        unique.setdefault(entry.identity, entry)
    return list(unique.values())


def calls_of(entries: Iterable[SpendEntry]) -> list[SpendCall]:
    """The calls that the entries tell of, in order of time."""
    by_call: defaultdict[tuple[str, int, str], dict[SpendState, SpendEntry]] = defaultdict(dict)
    for entry in merged(entries):
        by_call[entry.identity[:3]][entry.state] = entry
    calls = [_call(known) for known in by_call.values()]
    return sorted(calls, key=lambda call: (call.entry.begun, call.entry.call))


def summed(calls: Iterable[SpendCall], by: GroupBy) -> list[SpendRow]:
    """One row per group, in order of their names."""
    groups: defaultdict[str, list[SpendCall]] = defaultdict(list)
    for call in calls:
        groups[group_of(call.entry, by)].append(call)
    return [row_of(name, groups[name]) for name in sorted(groups)]


def row_of(name: str, calls: list[SpendCall]) -> SpendRow:
    """What some calls come to."""
    cost: defaultdict[str, Decimal] = defaultdict(Decimal)
    paid = [call for call in calls if call.standing == "paid"]
    priced = [call.priced for call in paid if call.priced]
    for entry in priced:
        cost[entry.currency or ""] += entry.cost or 0
    return SpendRow(
        group=name,
        calls=len(calls),
        images=sum(call.images for call in paid),
        paid=len(paid),
        unknown=sum(call.standing == "unknown" for call in calls),
        cost=dict(sorted(cost.items())),
        estimated=any(entry.reported is False for entry in priced),
    )


def group_of(entry: SpendEntry, by: GroupBy) -> str:
    """The group that an entry belongs to."""
    named = {
        "user": entry.user_id,
        "campaign": entry.campaign_id,
        "service": entry.service,
        "day": entry.day.isoformat(),
        "odoo": entry.odoo,
        "route": entry.route,
    }
    return named[by] or NOBODY


_BY_KNOWLEDGE = tuple(SpendState)[::-1]


def _call(known: Mapping[SpendState, SpendEntry]) -> SpendCall:
    stored, accepted = known.get(SpendState.STORED), known.get(SpendState.ACCEPTED)
    entry = stored or accepted or next(known[state] for state in _BY_KNOWLEDGE if state in known)
    images = next((one.images for one in (stored, accepted) if one and one.images is not None), 0)
    priced = next((one for one in (stored, accepted) if one and one.cost is not None), None)
    return SpendCall(entry, _standing(known), SpendState.SENT in known, images, priced)


def _standing(known: Mapping[SpendState, SpendEntry]) -> Standing:
    if SpendState.STORED in known:
        return "paid"
    if SpendState.REFUSED in known:
        return "unpaid"
    return "paid" if SpendState.ACCEPTED in known else "unknown"
