"""What an image-service account is told and says of itself (workflow `image-account`): limits, messages, state.

All moments are epoch seconds of the Temporal server's clock.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.circuits import Circuit
from contracts.decisions import Said
from contracts.leases import Lease, SlotState
from contracts.model import Frozen

CONFIGURE = "configure"
"""Signal: the configured limits, at every start of a worker."""
COOL_DOWN = "cool-down"
"""Signal: the service has said that the account calls too often."""
REPORT = "report-call"
"""Signal: a call ended in a way that matters to the account."""
CHANGE = "change-limits"
"""Signal: an operator changes the limits in force."""
RESERVE = "reserve-moments"
"""Update: moments for calls under a strict rate."""
CLAIM_PROBE = "claim-probe"
"""Update: may this call be the one that tries a service again?"""
SET_QUEUE_RATE = "set-queue-rate"
"""Activity: set what the server holds a task queue to."""
FIND_LOST_HOLDERS = "find-lost-holders"
"""Activity: which holders of slots have ended without giving them back."""
MEMO_STANDING = "standing"
"""Memo key under which every worker reads the account's `Standing`."""

COOLDOWN_S = 5.0
"""Seconds an account rests after a refusal that names no time."""
COOLDOWN_LIMIT_S = 3600.0
"""Seconds an account rests at most, whatever the service says."""
LOG_LIMIT = 40
"""Lines of an account's own log."""


Weight = Annotated[float, Field(ge=0.001, le=1000)]
"""A tenant's share, as Temporal bounds it."""


class Limits(Frozen):
    """The limits of one account as they are configured."""

    rate_per_second: float | None = None
    strict: bool = False
    concurrency: int | None = None
    circuit_failures: int = 5
    """Calls in a row that are not served until the circuit opens; 0 = never."""
    circuit_open_s: float = 30.0


class Overrides(Frozen):
    """What operators have set live; None = as configured."""

    rate_per_second: float | None = Field(default=None, gt=0, le=10_000)
    concurrency: int | None = Field(default=None, ge=1, le=10_000)
    weights: dict[str, Weight] | None = None
    """Shares of tenants; 1 where none is named."""

    def merged(self, later: Overrides) -> Overrides:
        """These with what a later change sets."""
        weights = {**(self.weights or {}), **(later.weights or {})}
        return Overrides(
            rate_per_second=self.rate_per_second if later.rate_per_second is None else later.rate_per_second,
            concurrency=self.concurrency if later.concurrency is None else later.concurrency,
            weights=weights or None,
        )


class Change(Frozen):
    """An operator's change of the limits in force."""

    change_id: str
    """Stands in the memo once the change is in force."""
    by: Said
    reason: Said
    overrides: Overrides = Overrides()
    clear: bool = False
    """Whether what was set before is dropped first."""
    limits: Limits | None = None
    """The configuration to go by from now on, where it is to be applied."""


class CoolDown(Frozen):
    """The account must not be called before `until`."""

    until: float
    message: str


class CallReport(Frozen):
    """How a call ended, where that matters to the account."""

    ended: Literal["served", "answered", "not_served", "no_quota"]
    message: str = ""


class Acquire(Frozen):
    """A request asks for a slot; repeating it with the same lease changes nothing."""

    workflow_id: str
    run_id: str
    lease: str
    tenant: str | None = None
    priority: int = 3
    expires_s: float
    """Seconds from the grant after which the slot is free again, whatever its holder does."""


class Release(Frozen):
    """The holder, or a waiter, needs the slot no longer."""

    lease: str


class Granted(Frozen):
    """The slot is the asker's."""

    service: str
    lease: str


class Reserve(Frozen):
    """Asks for moments at which to call, not more than `within_s` ahead."""

    count: int = Field(ge=1, le=1000)
    within_s: float


class Reserved(Frozen):
    """The moments that were reserved; fewer than asked for where no more were to be had soon enough."""

    moments: tuple[float, ...]
    now: float
    """The server's time of the answer."""
    retry_in_s: float
    """When to ask again for those that are missing."""


class Probe(Frozen):
    """The answer to who may try a service again."""

    wait_s: float
    """0 = this call may."""


class QueueRate(Frozen):
    """What the server is to hold a task queue to."""

    queue: str
    rate_per_second: float | None = None
    """0 = hold everything back; None = no limit of the server's own, so that of the workers counts."""
    weights: dict[str, float] = Field(default={})
    """Shares of fairness keys."""
    reason: str


class Holders(Frozen):
    """Those who hold slots."""

    leases: tuple[Lease, ...]


class LostHolders(Frozen):
    """The leases whose holders have ended."""

    leases: tuple[str, ...]


class Standing(Frozen):
    """What every worker needs to know of an account, and operators without a worker."""

    limits: Limits
    live: Overrides = Overrides()
    cooldown_until: float | None = None
    circuit: Circuit = Circuit()
    quota_exhausted_since: float | None = None
    last_change: str | None = None

    @property
    def rate_per_second(self) -> float | None:
        """The rate in force."""
        return self.limits.rate_per_second if self.live.rate_per_second is None else self.live.rate_per_second

    @property
    def concurrency(self) -> int | None:
        """The concurrency in force."""
        return self.limits.concurrency if self.live.concurrency is None else self.live.concurrency

    def resting(self, now: float) -> bool:
        """Whether the account cools down."""
        return self.cooldown_until is not None and now < self.cooldown_until


class Account(Frozen):
    """The input of `image-account`: who it is, and what a run hands on to the next."""

    service: str
    standing: Standing
    slots: SlotState = SlotState()
    next_moment: float = 0.0
    """The first moment that no call has reserved."""
    written: QueueRate | None = None
    """What the server was last told about the queue."""
    log: tuple[str, ...] = ()


class AccountStatus(Frozen):
    """The answer of the query `status`."""

    service: str
    standing: Standing
    held: tuple[Lease, ...]
    waiting: int
    waiting_by_tenant: dict[str, int]
    log: tuple[str, ...]
