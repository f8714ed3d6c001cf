"""What a decision about many dead letters would cost and how long it would take. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from statistics import fmean

from pydantic import Field

from contracts.dead_letter_orders import BatchOrder
from contracts.dead_letters import DeadLetter, fails_again, is_paid_twice, may_pay
from contracts.decisions import Decision, Redrive
from contracts.model import Frozen
from contracts.spend import SpendCall, SpendState

ASSUMED_CALL_S = 15.0
"""Seconds that an image takes where no call of the service is known."""
CALLBACK_S = 1.0
"""Seconds that the way to Odoo is reckoned with."""


@dataclass(frozen=True, slots=True)
class ServiceOutlook:
    """What is known of an image service beforehand."""

    paid: bool = True
    price: Decimal | None = None
    """What one image costs: the configured price, else what images cost of late."""
    currency: str = ""
    rate_per_second: float | None = None
    """In force; None = no limit."""
    at_once: int | None = None
    """Calls at once: the concurrency in force, else the slots of one worker."""
    call_s: float | None = None
    """What a call took of late."""
    held_back: bool = False
    """Whether its account rests, has no quota or an open circuit just now."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of the installation beforehand."""

    services: Mapping[str, ServiceOutlook]
    odoo_rates: Mapping[str, float | None]
    """Callbacks a second in force, by the route that posts them."""


class Plan(Frozen):
    """A batch before it is ordered."""

    total: int
    oldest: datetime | None = None
    services: dict[str, int]
    causes: dict[str, int]
    payments: int
    """New payments that are due at most."""
    cost: dict[str, Decimal] = Field(default={})
    """By currency, for those whose price is known."""
    unpriced: int = 0
    """Payments whose price is not known."""
    duration_s: float
    bound_by: str
    """What takes the longest: pace, service NAME, or callbacks of ROUTE."""
    notes: tuple[str, ...] = ()
    """One sentence each: what to know before it is ordered."""


def plan(letters: Sequence[DeadLetter], order: BatchOrder, outlook: Outlook) -> Plan:
    """What the order would mean for these letters."""
    paying = Counter(_asked(letter, order) for letter in letters if may_pay(letter, order.decision(letter.parking)))
    cost, unpriced = _cost(paying, outlook.services)
    duration_s, bound_by = _duration(letters, order, outlook)
    return Plan(
        total=len(letters),
        oldest=min((letter.since for letter in letters if letter.since), default=None),
        services=dict(Counter(letter.service or "unknown" for letter in letters).most_common()),
        causes=dict(Counter(letter.cause or "unknown" for letter in letters).most_common()),
        payments=sum(count for name, count in paying.items() if _of(outlook, name).paid),
        cost=cost,
        unpriced=unpriced,
        duration_s=round(duration_s, 1),
        bound_by=bound_by,
        notes=tuple(_notes(letters, order, outlook)),
    )


def call_seconds(calls: Iterable[SpendCall]) -> dict[str, float]:
    """What calls took of late, by service, from the ledger: from the call to the stored image."""
    took: defaultdict[str, list[float]] = defaultdict(list)
    for call in calls:
        if call.entry.state is SpendState.STORED:
            took[call.entry.service].append((call.entry.at - call.entry.begun).total_seconds())
    return {service: fmean(seconds) for service, seconds in took.items()}


def prices(calls: Iterable[SpendCall]) -> dict[str, tuple[Decimal, str]]:
    """What an image cost of late, by service: the mean, in the currency used last."""
    paid: defaultdict[str, list[tuple[Decimal, str]]] = defaultdict(list)
    for call in calls:
        if call.standing == "paid" and call.priced is not None and call.priced.cost is not None:
            paid[call.entry.service].append((call.priced.cost / max(call.images, 1), call.priced.currency or ""))
    found = {}
    for service, known in paid.items():
        currency = known[-1][1]
        same = [amount for amount, unit in known if unit == currency]
        found[service] = (sum(same, Decimal()) / len(same), currency)
    return found


def _asked(letter: DeadLetter, order: BatchOrder) -> str:
    return order.service or letter.service or "unknown"


def _of(outlook: Outlook, service: str) -> ServiceOutlook:
    return outlook.services.get(service, ServiceOutlook())


def _cost(paying: Mapping[str, int], services: Mapping[str, ServiceOutlook]) -> tuple[dict[str, Decimal], int]:
    cost: defaultdict[str, Decimal] = defaultdict(Decimal)
    unpriced = 0
    for name, count in paying.items():
        service = services.get(name, ServiceOutlook())
        if service.price is not None and service.paid:
            cost[service.currency] += count * service.price
        elif service.paid:
            unpriced += count
    return dict(sorted(cost.items())), unpriced


def _duration(letters: Sequence[DeadLetter], order: BatchOrder, outlook: Outlook) -> tuple[float, str]:
    """The longest of what goes on side by side, and the canaries before."""
    spans, decision = {"pace": len(letters) / order.pace}, order.decision()
    calling = Counter(_asked(letter, order) for letter in letters if _calls(letter, decision))
    spans |= {f"service {name}": _service_s(count, _of(outlook, name)) for name, count in calling.items()}
    if order.kind == "redrive":
        routes = Counter(letter.route for letter in letters)
        rates = {route: outlook.odoo_rates.get(route) for route in routes}
        spans |= {f"callbacks of {route}": routes[route] / rate for route, rate in rates.items() if rate}
    slowest = max(spans, key=lambda name: spans[name])
    one = max((_of(outlook, name).call_s or ASSUMED_CALL_S for name in calling), default=0.0) + CALLBACK_S
    return spans[slowest] + (one if order.kind == "redrive" else 0) * (2 if order.canary else 1), slowest


def _calls(letter: DeadLetter, decision: Decision) -> bool:
    return isinstance(decision, Redrive) and letter.step != "deliver" and not is_paid_twice(letter, decision)


def _service_s(count: int, service: ServiceOutlook) -> float:
    by_rate = count / service.rate_per_second if service.rate_per_second else 0.0
    by_slots = count * (service.call_s or ASSUMED_CALL_S) / service.at_once if service.at_once else 0.0
    return max(by_rate, by_slots)


def _what_helps(letters: Iterable[DeadLetter]) -> str:
    unknown = any(letter.may_be_paid for letter in letters)
    return "--generate-again" if unknown else "--generate-again, --edit or --service"


def _notes(letters: Sequence[DeadLetter], order: BatchOrder, outlook: Outlook) -> list[str]:
    decision, notes = order.decision(), []
    if again := fails_again(letters, decision):
        notes.append(f"{again} will fail again unless they are redriven with {_what_helps(letters)}")
    if unsaid := sum(is_paid_twice(letter, decision) for letter in letters):
        notes.append(f"{unsaid} may have been paid for already: this redrive is not possible without --generate-again")
    if isinstance(decision, Redrive) and decision.pays_anew:
        callbacks = sum(letter.step == "deliver" for letter in letters)
        notes += (
            [f"{callbacks} failed at the callback only: this redrive is not possible for them"] if callbacks else []
        )
    asked = sorted({_asked(letter, order) for letter in letters if _calls(letter, decision)})
    notes += [
        f"{name} is held back now: see orchestrator limits show" for name in asked if _of(outlook, name).held_back
    ]
    unknown = [name for name in asked if _of(outlook, name).call_s is None]
    notes += [f"no call of {name} is known: {ASSUMED_CALL_S:g} s an image are assumed" for name in unknown]
    return notes
