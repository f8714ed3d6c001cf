"""The limits of accounts and Odoos: what is configured, what is in force, and changing it live."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from temporalio.client import Client
from temporalio.service import RPCError

from activities.account_desk import limits_of, read_standing, signal_account
from activities.queue_rates import LiveRate, read_queue_rate, set_queue_rate
from contracts import names
from contracts.accounts import CHANGE, AccountStatus, Change, Overrides, QueueRate, Standing
from contracts.model import Frozen
from runtime.settings import Settings
from runtime.suggestions import suggestion
from starter.api.executions import RequestError

IN_FORCE_S = 5.0
"""Seconds a change is waited for; without a worker it takes effect once one runs."""


class LimitsRefusedError(RequestError):
    """Limits cannot be set as they were asked for. The message says what to do."""


class LimitsShown(Frozen):
    """What one service or Odoo is limited to."""

    name: str
    kind: str
    """service or odoo."""
    configured_rate: float | None = None
    live_rate: float | None = None
    """What the Temporal server holds the queue to; 0 = everything is held back."""
    configured_concurrency: int | None = None
    live_concurrency: int | None = None
    """What operators have set."""
    weights: dict[str, float] | None = None
    state: str
    """in service, cooldown, circuit open, quota exhausted, or not started."""
    held: int | None = None
    waiting: int | None = None
    log: tuple[str, ...] | None = None
    """The account's own log; only where a worker answers."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes limits, and why."""

    by: str
    reason: str


async def show_limits(client: Client, settings: Settings, now: float) -> list[LimitsShown]:
    """All services and Odoos; `now` is epoch seconds. Raises `RPCError`."""
    services = [_service(client, settings, name, now) for name in settings.services]
    odoos = [_odoo(client, settings, name) for name in settings.odoos]
    return list(await asyncio.gather(*services, *odoos))


async def set_service(client: Client, settings: Settings, service: str, wanted: Overrides, author: Author) -> bool:
    """Set a service's live limits; False where no worker has taken the change yet. Raises `LimitsRefusedError`."""
    _known(service, settings)
    if wanted.concurrency is not None and settings.services[service].concurrency is None:
        raise LimitsRefusedError(
            f"{service} has no configured concurrency, so its requests lease no slots: "
            f"set services.{service}.concurrency and restart, then change it live"
        )
    change = Change(change_id=uuid.uuid4().hex, by=author.by, reason=author.reason, overrides=wanted)
    return await _change(client, settings, service, change)


async def clear_service(client: Client, settings: Settings, service: str, author: Author) -> bool:
    """Drop a service's live limits; False where no worker has taken the change yet. Raises `LimitsRefusedError`."""
    _known(service, settings)
    change = Change(change_id=uuid.uuid4().hex, by=author.by, reason=author.reason, clear=True)
    return await _change(client, settings, service, change)


async def set_odoo(client: Client, settings: Settings, odoo: str, rate: float | None, author: Author) -> None:
    """Set how many callbacks a second an Odoo gets; None = as its workers are configured."""
    if odoo not in settings.odoos:
        raise LimitsRefusedError(f"there is no Odoo {odoo!r}; {suggestion(odoo, settings.odoos)}")
    if rate is not None and settings.odoos[odoo].rate_per_second is None:
        raise LimitsRefusedError(
            f"{odoo} has no configured rate, so its first callbacks do not pass its queue: "
            f"set odoos.{odoo}.rate_per_second and restart, then change it live"
        )
    await _write_odoo(client, odoo, rate, author)


async def apply_all(client: Client, settings: Settings, author: Author) -> dict[str, bool]:
    """Put the configured limits of all services and Odoos in force; by name whether they already are."""
    applied = {}
    for odoo, configured in settings.odoos.items():
        await _write_odoo(client, odoo, configured.rate_per_second, author)
        applied[f"odoo {odoo}"] = True
    for service, account in settings.services.items():
        change = Change(
            change_id=uuid.uuid4().hex, by=author.by, reason=author.reason, clear=True, limits=limits_of(account)
        )
        applied[f"service {service}"] = await _change(client, settings, service, change)
    return applied


async def _write_odoo(client: Client, odoo: str, rate: float | None, author: Author) -> None:
    reason = f"{author.by}: {author.reason}"
    wanted = QueueRate(queue=names.callbacks_queue(odoo), rate_per_second=rate, reason=reason)
    await set_queue_rate(client, wanted)


async def _change(client: Client, settings: Settings, service: str, change: Change) -> bool:
    await signal_account(client, service, limits_of(settings.services[service]), CHANGE, change)
    end = asyncio.get_running_loop().time() + IN_FORCE_S
    while asyncio.get_running_loop().time() < end:
        if await _in_force(client, service, change.change_id):
            return True
        await asyncio.sleep(0.1)
    return False


async def _in_force(client: Client, service: str, change_id: str) -> bool:
    standing = await read_standing(client, service)
    if standing is None or standing.last_change != change_id:
        return False
    live = await read_queue_rate(client, names.images_queue(service))
    rate = 0.0 if standing.cooldown_until else standing.rate_per_second
    weights = standing.live.weights or {}
    return _alike(live.rate_per_second, rate) and _same_keys_and_values(live.weights, weights)


def _same_keys_and_values(some: Mapping[str, float], others: Mapping[str, float]) -> bool:
    return some.keys() == others.keys() and all(_alike(some[key], others[key]) for key in some)


def _alike(one: float | None, other: float | None) -> bool:
    # The server keeps single precision.
    return one == other if one is None or other is None else math.isclose(one, other, rel_tol=1e-5)


def _known(service: str, settings: Settings) -> None:
    if service not in settings.services:
        raise LimitsRefusedError(f"there is no image service {service!r}; {suggestion(service, settings.services)}")


async def _service(client: Client, settings: Settings, name: str, now: float) -> LimitsShown:
    configured = settings.services[name]
    standing = await read_standing(client, name)
    live = await read_queue_rate(client, names.images_queue(name))
    status = await _status(client, name) if standing else None
    return LimitsShown(
        name=name,
        kind="service",
        configured_rate=configured.rate_per_second,
        live_rate=live.rate_per_second,
        configured_concurrency=configured.concurrency,
        live_concurrency=standing.live.concurrency if standing else None,
        weights=dict(live.weights) or None,
        state=_state(standing, now),
        held=len(status.held) if status else None,
        waiting=status.waiting if status else None,
        log=status.log if status else None,
    )


async def _odoo(client: Client, settings: Settings, name: str) -> LimitsShown:
    live: LiveRate = await read_queue_rate(client, names.callbacks_queue(name))
    return LimitsShown(
        name=name,
        kind="odoo",
        configured_rate=settings.odoos[name].rate_per_second,
        live_rate=live.rate_per_second,
        state="in service",
        log=(live.reason,) if live.reason else None,
    )


async def _status(client: Client, service: str) -> AccountStatus | None:
    """What the account says itself; None where no worker answers."""
    account = client.get_workflow_handle(names.account_id(service))
    try:
        answer: AccountStatus = await asyncio.wait_for(account.query(names.STATUS, result_type=AccountStatus), 2.0)
    except (RPCError, TimeoutError):
        return None
    return answer


def _state(standing: Standing | None, now: float) -> str:
    if standing is None:
        return "not started"
    if standing.resting(now):
        return f"cooldown, {(standing.cooldown_until or now) - now:.0f} s left"
    if standing.circuit.open_until is not None:
        return "circuit open"
    return "quota exhausted" if standing.quota_exhausted_since else "in service"
