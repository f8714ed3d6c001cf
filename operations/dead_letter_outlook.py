"""What a plan needs to know: prices, what calls took, and the limits in force."""

from __future__ import annotations

import time
from datetime import date

from temporalio.client import Client

from contracts.spend import SpendCall
from operations.dead_letter_plan import Outlook, ServiceOutlook, call_seconds, prices
from operations.limits import LimitsShown, show_limits
from operations.spend import read_spend
from runtime.blobs import open_store
from runtime.settings import Settings

_RESTING = frozenset({"cooldown", "circuit open", "quota exhausted"})


async def outlook_of(client: Client, settings: Settings, days: tuple[date, date]) -> Outlook:
    """What the settings, the ledger of those days and Temporal say; raises `RPCError`."""
    shown = {(one.kind, one.name): one for one in await show_limits(client, settings, time.time())}
    calls = await _calls(settings, days)
    took, costs = call_seconds(calls), prices(calls)
    services = {}
    for name, configured in settings.services.items():
        limits = shown["service", name]
        price, currency = costs.get(name, (None, configured.currency))
        services[name] = ServiceOutlook(
            paid=configured.paid,
            price=price if configured.price is None else configured.price,
            currency=currency if configured.price is None else configured.currency,
            rate_per_second=_rate(limits),
            at_once=limits.live_concurrency or limits.configured_concurrency or settings.worker.image_slots,
            call_s=took.get(name),
            held_back=limits.state.partition(",")[0] in _RESTING,
        )
    rates = {name: _rate(shown["odoo", route.odoo]) for name, route in settings.routes.items()}
    return Outlook(services, rates)


async def _calls(settings: Settings, days: tuple[date, date]) -> tuple[SpendCall, ...]:
    try:
        return (await read_spend(open_store(settings.store), *days)).calls
    except OSError:
        # A plan without the store is still a plan: it assumes what it does not know.
        return ()


def _rate(limits: LimitsShown) -> float | None:
    # 0 = held back for the moment.
    return limits.live_rate or limits.configured_rate
