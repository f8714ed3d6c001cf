"""From what Temporal tells to the values of gauges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from temporalio.client import WorkflowExecution

from contracts import metrics, search_attributes
from contracts.accounts import AccountStatus, Standing
from contracts.decisions import Parked
from contracts.names import MEMO_PARKED
from contracts.taxonomy import FailureClass
from runtime.settings import Settings

CLOSED, HALF_OPEN, OPEN = 0.0, 1.0, 2.0
"""The states of a circuit."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The value of a gauge under these labels."""

    metric: metrics.Metric
    labels: Mapping[str, str] = field(hash=False)
    value: float


@dataclass(frozen=True, slots=True)
class ParkedLetter:
    """An open dead letter."""

    labels: tuple[str, str, str]
    """Dialect, service, Odoo."""
    cause: str
    since: float
    """Epoch seconds."""


async def parked_letter(execution: WorkflowExecution, settings: Settings) -> ParkedLetter:
    """What the list of executions tells of one."""
    found = execution.typed_search_attributes
    route = settings.routes.get(found.get(search_attributes.ROUTE) or "")
    service = metrics.known(found.get(search_attributes.SERVICE) or "", settings.services)
    where = (route.dialect, service, route.odoo) if route else (metrics.OTHER, service, metrics.OTHER)
    cause = metrics.known(found.get(search_attributes.CAUSE) or "", frozenset(FailureClass))
    parked = await execution.memo_value(MEMO_PARKED, None, type_hint=Parked)
    return ParkedLetter(where, cause, (parked.since if parked else execution.start_time).timestamp())


def dead_letter_readings(letters: Sequence[ParkedLetter], settings: Settings, now: float) -> list[Reading]:
    """How many are open and how old the oldest is, with a 0 for every route and service that has none."""
    places = {(route.dialect, service, route.odoo) for route in settings.routes.values() for service in route.services}
    oldest = dict.fromkeys(places, now)
    for letter in letters:
        oldest[letter.labels] = min(oldest.get(letter.labels, now), letter.since)
    counted = Counter((letter.labels, letter.cause) for letter in letters)
    open_ones = {**{(place, metrics.NONE): 0 for place in places - {letter.labels for letter in letters}}, **counted}
    return [
        *(Reading(metrics.DEAD_LETTERS_OPEN, {**_named(at), "cause": why}, n) for (at, why), n in open_ones.items()),
        *(Reading(metrics.DEAD_LETTER_AGE, _named(at), max(0.0, now - since)) for at, since in oldest.items()),
    ]


def account_readings(service: str, standing: Standing, now: float) -> list[Reading]:
    """What every worker knows of an account."""
    labels, circuit = {"service": service}, standing.circuit
    state = CLOSED if circuit.open_until is None else OPEN if now < circuit.open_until else HALF_OPEN
    limit = standing.concurrency
    return [
        Reading(metrics.CIRCUIT, labels, state),
        Reading(metrics.COOLDOWN, labels, max(0.0, (standing.cooldown_until or now) - now)),
        Reading(metrics.QUOTA, labels, float(standing.quota_exhausted_since is not None)),
        *([] if limit is None else [Reading(metrics.SLOTS, labels, limit)]),
    ]


def slot_readings(service: str, status: AccountStatus) -> list[Reading]:
    """How the slots of an account are taken."""
    labels = {"service": service}
    return [
        Reading(metrics.SLOTS_HELD, labels, len(status.held)),
        Reading(metrics.SLOTS_AWAITED, labels, status.waiting),
    ]


def _named(place: tuple[str, str, str]) -> dict[str, str]:
    return dict(zip(("dialect", "service", "odoo"), place, strict=True))
