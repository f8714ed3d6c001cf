"""The configured limits of task queues, brought into a namespace: what operators have set live stays."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.account_desk import limits_of, read_standing, signal_account
from activities.queue_rates import LiveRate, read_queue_rate, set_queue_rate
from contracts import names
from contracts.accounts import CONFIGURE, QueueRate
from runtime.bootstrap import Change, Prepared
from runtime.settings import Settings

REASON = "bootstrap: as configured"
"""Marks a rate that was set here, which may be set anew; any other was set by an operator."""
_THING = "limit"
_UNLIMITED = "unlimited"


async def prepare_limits(client: Client, settings: Settings, *, rehearse: bool = False) -> AsyncIterator[Prepared]:
    """Put each service's and each Odoo's limits in force, telling each step once it is done. Raises `RPCError`.

    A service's limits are its account's, which reaches its queue as soon as a worker runs.
    """
    for service in settings.services:
        yield await _account(client, settings, service, rehearse=rehearse)
    for odoo, configured in settings.odoos.items():
        yield await _queue(client, names.callbacks_queue(odoo), configured.rate_per_second, rehearse=rehearse)


async def _account(client: Client, settings: Settings, service: str, *, rehearse: bool) -> Prepared:
    limits, standing = limits_of(settings.services[service]), await read_standing(client, service)
    rate = _rate(limits.rate_per_second)
    at_once = f"{limits.concurrency} at once" if limits.concurrency else "any number at once"
    detail = f"{rate}, {at_once}"
    if standing is not None and standing.limits == limits:
        return Prepared(_THING, names.account_id(service), Change.NONE, detail)
    if standing is None and await _runs(client, service):
        # Started, but no worker has served it yet; each worker tells it the limits once more.
        return Prepared(_THING, names.account_id(service), Change.NONE, f"{detail}, once a worker runs")
    if not rehearse:
        await signal_account(client, service, limits, CONFIGURE, limits)
    return Prepared(_THING, names.account_id(service), Change.CHANGED if standing else Change.MADE, detail)


async def _runs(client: Client, service: str) -> bool:
    try:
        described = await client.get_workflow_handle(names.account_id(service)).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
    return described.close_time is None


async def _queue(client: Client, queue: str, rate: float | None, *, rehearse: bool) -> Prepared:
    try:
        live = await read_queue_rate(client, queue)
        change = verdict(rate, live)
        if change in {Change.MADE, Change.CHANGED} and not rehearse:
            await set_queue_rate(client, QueueRate(queue=queue, rate_per_second=rate, reason=REASON))
    except RPCError as error:
        if error.status is not RPCStatusCode.UNIMPLEMENTED:
            raise
        return Prepared(_THING, queue, Change.LEFT, "this server knows no live limits: the workers hold it")
    if change is Change.LEFT:
        return Prepared(_THING, queue, change, f"set live to {_rate(live.rate_per_second)} ({live.reason})")
    return Prepared(_THING, queue, change, _rate(rate))


def verdict(configured: float | None, live: LiveRate) -> Change:
    """What is to be done with a queue that is configured so and limited so."""
    if _alike(configured, live.rate_per_second):
        return Change.NONE
    if live.rate_per_second is None:
        return Change.MADE
    return Change.CHANGED if live.reason == REASON else Change.LEFT


def _alike(one: float | None, other: float | None) -> bool:
    # The server keeps single precision.
    return one == other if one is None or other is None else math.isclose(one, other, rel_tol=1e-5)


def _rate(value: float | None) -> str:
    return _UNLIMITED if value is None else f"{value:g} a second"
