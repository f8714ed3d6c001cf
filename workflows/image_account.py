"""The workflow `image-account`: the limits of one image-service account, for all workers together.

It runs as long as the installation does, in short runs that hand on their state. Signals that arrive together are
worked on together, which keeps its history small.
"""

from __future__ import annotations

from datetime import UTC, datetime

from temporalio import workflow

from contracts import names
from contracts.accounts import (
    CHANGE,
    CLAIM_PROBE,
    CONFIGURE,
    COOL_DOWN,
    COOLDOWN_LIMIT_S,
    LOG_LIMIT,
    MEMO_STANDING,
    REPORT,
    RESERVE,
    Account,
    AccountStatus,
    Acquire,
    CallReport,
    Change,
    CoolDown,
    Limits,
    Overrides,
    Probe,
    Release,
    Reserve,
    Reserved,
    Standing,
)
from contracts.circuits import Circuit, after_failure, claim_probe, reserve
from workflows.account_details import render, tenants
from workflows.account_queue import AccountQueue
from workflows.account_slots import AccountSlots
from workflows.chores import Chores

EVENT_LIMIT = 2000
"""Events after which a run hands on to the next."""


@workflow.defn(name=names.ACCOUNT_WORKFLOW)
class ImageAccountWorkflow:
    """Leases, cooldown, circuit, reservations and live limits of one account."""

    @workflow.init
    def __init__(self, account: Account) -> None:
        """Take over what the run before has left."""
        self._service = account.service
        self._standing = account.standing
        self._published: Standing | None = None
        self._next_moment = account.next_moment
        self._log = account.log
        self._chores = Chores()
        self._slots = AccountSlots(account.service, account.slots, self._chores, self._note)
        self._queue = AccountQueue(account.service, account.written, self._chores)

    @workflow.run
    async def run(self, _account: Account) -> None:
        """Keep the account until the run is long enough, then hand on."""
        while not self._long_enough():
            self._act()
            await workflow.wait_condition(lambda: self._chores.called or self._long_enough())
        await workflow.wait_condition(lambda: not self._chores.busy and workflow.all_handlers_finished())
        workflow.continue_as_new(self._handed_on())

    def _long_enough(self) -> bool:
        info = workflow.info()
        return info.is_continue_as_new_suggested() or info.get_current_history_length() >= EVENT_LIMIT

    def _handed_on(self) -> Account:
        return Account(
            service=self._service,
            standing=self._standing,
            slots=self._slots.state(),
            next_moment=self._next_moment,
            written=self._queue.written,
            log=self._log,
        )

    def _act(self) -> None:
        self._chores.called = False
        now = workflow.time()
        self._end_cooldown(now)
        self._slots.act(self._standing, now)
        self._queue.act(lambda: self._standing)
        self._publish()
        self._chores.call_at(self._standing.cooldown_until)
        self._chores.call_at(self._slots.deadline())

    # --- slots --------------------------------------------------------------------------------------------------

    @workflow.signal(name=names.ACQUIRE_SLOT)
    def acquire(self, ask: Acquire) -> None:
        """Put a request in the queue for a slot."""
        self._slots.ask(ask)

    @workflow.signal(name=names.RELEASE_SLOT)
    def release(self, done: Release) -> None:
        """Take a slot back."""
        self._slots.release(done.lease)

    # --- cooldown, circuit, quota -------------------------------------------------------------------------------

    @workflow.signal(name=COOL_DOWN)
    def cool_down(self, told: CoolDown) -> None:
        """Rest until the time the service named; of several times the latest counts."""
        # A refusal is an answer: the service is up.
        self._change(circuit=Circuit())
        now = workflow.time()
        until = min(told.until, now + COOLDOWN_LIMIT_S)
        if until > max(now, self._standing.cooldown_until or 0.0):
            self._change(cooldown_until=until)
            self._note(f"rests until {_clock(until)} UTC: {told.message}")

    def _end_cooldown(self, now: float) -> None:
        if self._standing.cooldown_until is not None and not self._standing.resting(now):
            self._change(cooldown_until=None)
            self._note("goes on after its rest")

    @workflow.signal(name=REPORT)
    def report(self, call: CallReport) -> None:
        """Take note of a call that matters to the account."""
        if call.ended in {"served", "answered"}:
            self._served(quota=call.ended == "served")
        elif call.ended == "no_quota":
            self._no_quota(call.message)
        else:
            self._not_served(call.message)

    def _served(self, *, quota: bool) -> None:
        if self._standing.circuit.open_until is not None:
            self._note("circuit closed: the service answers again")
        self._change(circuit=Circuit())
        if quota and self._standing.quota_exhausted_since is not None:
            self._note("there is quota again")
            self._change(quota_exhausted_since=None)

    def _no_quota(self, message: str) -> None:
        if self._standing.quota_exhausted_since is None:
            self._change(quota_exhausted_since=workflow.time())
            self._note(f"quota exhausted: {message}")
            workflow.logger.error("account_quota_exhausted", extra={"service": self._service, "cause": message})

    def _not_served(self, message: str) -> None:
        before, limits = self._standing.circuit, self._standing.limits
        after = after_failure(before, limits.circuit_failures, limits.circuit_open_s, workflow.time())
        self._change(circuit=after)
        if after.open_until is not None and after.open_until != before.open_until:
            self._note(f"circuit open until {_clock(after.open_until)} UTC: {message}")
            workflow.logger.warning("account_circuit_opened", extra={"service": self._service, "cause": message})

    @workflow.update(name=CLAIM_PROBE, description="May this call be the one that tries the service again?")
    def claim_probe(self) -> Probe:
        """Let one call through once the circuit has been open long enough."""
        circuit, wait_s = claim_probe(self._standing.circuit, self._standing.limits.circuit_open_s, workflow.time())
        self._change(circuit=circuit)
        return Probe(wait_s=wait_s)

    # --- rate ---------------------------------------------------------------------------------------------------

    @workflow.update(name=RESERVE, description="Reserve moments for calls under a strict rate.")
    def reserve(self, ask: Reserve) -> Reserved:
        """Reserve moments at which calls may leave."""
        now = workflow.time()
        free = max(self._next_moment, self._standing.cooldown_until or 0.0)
        made = reserve(free, now, self._standing.rate_per_second, ask.count, ask.within_s)
        self._next_moment = made.next_free
        return Reserved(moments=made.moments, now=now, retry_in_s=made.retry_in_s)

    # --- limits -------------------------------------------------------------------------------------------------

    @workflow.signal(name=CONFIGURE)
    def configure(self, limits: Limits) -> None:
        """Go by the configuration of the worker that has just started."""
        if limits != self._standing.limits:
            self._note("configured anew by a worker")
        self._change(limits=limits)

    @workflow.signal(name=CHANGE)
    def change(self, change: Change) -> None:
        """Change the limits in force."""
        live = Overrides() if change.clear else self._standing.live
        if change.clear:
            self._queue.distrust()
        limits = change.limits or self._standing.limits
        self._change(live=live.merged(change.overrides), limits=limits, last_change=change.change_id)
        what = ", ".join(f"{name} = {value}" for name, value in change.overrides.model_dump().items())
        cleared = ("configuration applied" if change.limits else "live limits cleared") if change.clear else ""
        self._note(f"{', '.join(part for part in (cleared, what) if part)} by {change.by}: {change.reason}")

    # --- what is told -------------------------------------------------------------------------------------------

    def _change(self, **fields: object) -> None:
        changed = self._standing.model_copy(update=fields)
        self._chores.call(when=changed != self._standing)
        self._standing = changed

    def _publish(self) -> None:
        if self._published != self._standing:
            self._published = self._standing
            workflow.upsert_memo({MEMO_STANDING: self._standing.model_dump(mode="json")})
        workflow.set_current_details(render(self.status()))

    def _note(self, line: str) -> None:
        self._log = (*self._log, f"{workflow.now():%Y-%m-%d %H:%M:%S} {line}")[-LOG_LIMIT:]

    @workflow.query(name=names.STATUS, description="The limits, slots and recent events of the account.")
    def status(self) -> AccountStatus:
        """How the account stands."""
        return AccountStatus(
            service=self._service,
            standing=self._standing,
            held=self._slots.held,
            waiting=len(self._slots.waiting),
            waiting_by_tenant=tenants(self._slots.waiting),
            log=self._log,
        )


def _clock(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S}"
