"""What stands between a request and a call to an image service: circuit, cooldown, strict rate; and what calls report.

A healthy call costs Temporal nothing but one look at the account every `VIEW_S` seconds and worker.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NoReturn

import structlog
from temporalio import activity
from temporalio.client import Client

from activities.account_desk import UNREACHED, AccountDesk, ensure_accounts, limits_of
from activities.attempts import AttemptFailedError
from activities.reservations import NoMomentError, Reservations, ServerClock
from contracts.accounts import (
    CLAIM_PROBE,
    COOL_DOWN,
    COOLDOWN_LIMIT_S,
    COOLDOWN_S,
    REPORT,
    RESERVE,
    CallReport,
    CoolDown,
    Probe,
    Reserve,
    Reserved,
    Standing,
)
from contracts.circuits import Circuit, after_failure
from contracts.errors import Failure, FailureClass, Retry, make_failure
from runtime.service_settings import ServiceSettings

__all__ = ["Accounts", "ensure_accounts"]

log = structlog.get_logger(__name__)

VIEW_S = 2.0
"""Seconds for which a worker goes by what it has read of an account."""
NOT_SERVED = frozenset({FailureClass.CONNECT_FAILED, FailureClass.PROVIDER_OVERLOADED, FailureClass.PROVIDER_INTERNAL})
"""What counts towards an open circuit."""
ANSWERED = frozenset({FailureClass.CONTENT_REJECTED, FailureClass.INVALID_REQUEST})
"""Failures that only a service that is up can tell."""


@dataclass
class _View:
    """What this worker knows of one account."""

    standing: Standing
    reservations: Reservations
    rests_until: float = 0.0
    """What this worker has reported itself and may not read yet."""
    read_at: float | None = None
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)


class Accounts:
    """The accounts as one worker sees them; `services` are their settings by name."""

    def __init__(self, client: Client, services: Mapping[str, ServiceSettings]) -> None:
        self._desk = AccountDesk(client, services)
        self._services = services
        self._clock = ServerClock()
        self._views: dict[str, _View] = {}

    async def admit(self, service: str, *, failover: bool) -> None:
        """Return when the call may leave, which it must do at once; takes `AHEAD_S` at most.

        Raises `AttemptFailedError`: the circuit is open (with `failover` no attempt follows, else one when it may
        close), the account cools down, or its strict rate is used up. None of these spends retry budget.
        """
        if activity.in_activity():
            self._clock.observe(activity.info().started_time)
        view = await self._looked_at(service)
        await self._pass_circuit(service, view, failover=failover)
        self._pass_cooldown(service, view)
        if self._services[service].strict_rate:
            await self._pass_rate(service, view)
            self._pass_cooldown(service, view)

    async def report(self, service: str, failure: Failure | None, retry_after_s: float | None) -> None:
        """Tell the account how a call ended (None = served), where that matters to it. Never raises.

        `retry_after_s` is what the service said, in seconds from now.
        """
        view = self._view(service)
        what = failure.failure if failure else None
        message = failure.message if failure else ""
        if what is FailureClass.RATE_LIMITED:
            await self._cool_down(service, view, message, retry_after_s)
        elif what in NOT_SERVED:
            await self._count(service, view, message)
        elif what is FailureClass.QUOTA_EXHAUSTED:
            await self._no_quota(service, view, message)
        elif what is None or what in ANSWERED:
            await self._served(service, view, paid=what is None)

    # --- look ---------------------------------------------------------------------------------------------------

    def _view(self, service: str) -> _View:
        if service not in self._views:

            async def ask(wanted: Reserve) -> Reserved:
                return await self._desk.ask(service, RESERVE, wanted, Reserved)

            standing = Standing(limits=limits_of(self._services[service]))
            # A clock of their own: the host that dates the moments need not agree with the one that dates activities.
            self._views[service] = _View(standing, Reservations(ServerClock(), ask))
        return self._views[service]

    async def _looked_at(self, service: str) -> _View:
        view = self._view(service)
        async with view.reading:
            if view.read_at is None or time.monotonic() - view.read_at >= VIEW_S:
                await self._look(service, view)
        return view

    async def _look(self, service: str, view: _View) -> None:
        try:
            standing = await self._desk.read(service)
        except UNREACHED as error:
            # No call waits for our own book-keeping: it goes by what was known.
            log.warning("account_not_read", service=service, reason=str(error))
        else:
            view.standing = standing or Standing(limits=limits_of(self._services[service]))
        view.read_at = time.monotonic()

    # --- admit --------------------------------------------------------------------------------------------------

    async def _pass_circuit(self, service: str, view: _View, *, failover: bool) -> None:
        circuit, now = view.standing.circuit, self._clock.now()
        if circuit.open_until is None:
            return
        wait_s = circuit.open_until - now
        if wait_s <= 0:
            wait_s = await self._claim_probe(service)
        if wait_s > 0:
            message = f"circuit of {service} is open until {_clock(now + wait_s)}"
            failure = make_failure(FailureClass.PROVIDER_OVERLOADED, message, service=service)
            raise AttemptFailedError(failure, wait_s, retry=Retry.NEVER if failover else Retry.WHEN_ALLOWED)

    async def _claim_probe(self, service: str) -> float:
        try:
            return (await self._desk.ask(service, CLAIM_PROBE, None, Probe)).wait_s
        except UNREACHED as error:
            log.warning("probe_not_claimed", service=service, reason=str(error))
            return 0.0

    def _pass_cooldown(self, service: str, view: _View) -> None:
        until, now = max(view.standing.cooldown_until or 0.0, view.rests_until), self._clock.now()
        if now < until:
            _hold_back(f"the account of {service} rests until {_clock(until)}", service, until - now)

    async def _pass_rate(self, service: str, view: _View) -> None:
        try:
            await view.reservations.wait()
        except NoMomentError as none:
            _hold_back(f"the calls a second of {service} are used up", service, none.retry_in_s)
        except UNREACHED as error:
            # Unlike a look, this is a promise to the service: without a moment no call leaves.
            log.warning("moment_not_reserved", service=service, reason=str(error))
            _hold_back(f"no moment for a call of {service} could be reserved", service, VIEW_S)

    # --- report -------------------------------------------------------------------------------------------------

    async def _cool_down(self, service: str, view: _View, message: str, retry_after_s: float | None) -> None:
        named = COOLDOWN_S if retry_after_s is None else retry_after_s
        if named > COOLDOWN_LIMIT_S:
            log.warning("cooldown_capped", service=service, named_s=named, kept_s=COOLDOWN_LIMIT_S)
        until = self._clock.now() + min(max(named, 0.0), COOLDOWN_LIMIT_S)
        if until <= max(view.rests_until, view.standing.cooldown_until or 0.0):
            return
        view.rests_until = until
        await self._desk.tell(service, COOL_DOWN, CoolDown(until=until, message=message))

    async def _count(self, service: str, view: _View, message: str) -> None:
        settings, now = self._services[service].circuit, self._clock.now()
        after = after_failure(view.standing.circuit, settings.failures, settings.open_s, now)
        if after != view.standing.circuit:
            self._known(view, circuit=after)
            await self._desk.tell(service, REPORT, CallReport(ended="not_served", message=message))

    async def _no_quota(self, service: str, view: _View, message: str) -> None:
        if view.standing.quota_exhausted_since is None:
            self._known(view, quota_exhausted_since=self._clock.now())
            await self._desk.tell(service, REPORT, CallReport(ended="no_quota", message=message))

    async def _served(self, service: str, view: _View, *, paid: bool) -> None:
        quota_is_back = paid and view.standing.quota_exhausted_since is not None
        if view.standing.circuit.disturbed or quota_is_back:
            self._known(view, circuit=Circuit(), **({"quota_exhausted_since": None} if paid else {}))
            await self._desk.tell(service, REPORT, CallReport(ended="served" if paid else "answered"))

    @staticmethod
    def _known(view: _View, **fields: object) -> None:
        # Until the next look, which must not come before the account has heard of it.
        view.standing, view.read_at = view.standing.model_copy(update=fields), time.monotonic()


def _hold_back(message: str, service: str, wait_s: float) -> NoReturn:
    failure = make_failure(FailureClass.RATE_LIMITED, message, service=service)
    raise AttemptFailedError(failure, wait_s, retry=Retry.WHEN_ALLOWED)


def _clock(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC"
