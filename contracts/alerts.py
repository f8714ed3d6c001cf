"""What alerts are made of: what is observed, what is wrong, whom it is told, and what the workflow `alerts` keeps.

All moments are epoch seconds of the Temporal server's clock.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from contracts.decisions import Said
from contracts.model import Frozen

LOG_LIMIT = 60
"""Lines of the log of alerts."""


class Kind(StrEnum):
    """What may be wrong."""

    DEAD_LETTER = "dead-letter"
    """Requests wait for a decision; one alert for all with the same cause, service and Odoo."""
    DEAD_LETTER_RATE = "dead-letter-rate"
    """More new dead letters within the window than is normal."""
    SERVICE_DOWN = "service-down"
    """The circuit of an image service is open."""
    QUOTA_EXHAUSTED = "quota-exhausted"
    """An image service's credit is used up."""
    CALLBACK_TARGET_DOWN = "callback-target-down"
    """An Odoo does not take its callbacks, or they do not get to leave."""
    SERVICE_LEVEL = "service-level"
    """Too many requests take too long."""


class Severity(StrEnum):
    """How bad it is, mildest first."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Its place among all, mildest 0."""
        return tuple(Severity).index(self)


class Event(StrEnum):
    """What a message tells of an alert."""

    OPENED = "opened"
    REPEATED = "repeated"
    ESCALATED = "escalated"
    RESOLVED = "resolved"


class DeadLetterGroup(Frozen):
    """Dead letters that are alike."""

    cause: str | None = None
    """The failure class; None = none of those that are known."""
    service: str | None = None
    database: str | None = None
    count: int

    @property
    def subject(self) -> str:
        """What tells it from other groups."""
        return "/".join((self.cause or "other", self.service or "other", self.database or "other"))


class AccountFacts(Frozen):
    """How an image service stands."""

    service: str
    circuit_open: bool = False
    quota_exhausted_since: float | None = None


class OdooFacts(Frozen):
    """How the callbacks to one Odoo fare."""

    odoo: str
    database: str
    waiting: int = 0
    """Requests that deliver now."""
    failing_since: float | None = None
    """First attempt of a delivery that still fails, where every one that was looked at fails."""
    backlog: int = 0
    """Callbacks that no worker has taken yet."""
    backlog_age_s: float = 0.0
    """How long the oldest of them waits."""


class LevelFacts(Frozen):
    """How fast requests that came within the window were completed; open ones that are late count as slow."""

    due_fast: int
    """Completed, or open for longer than the fast limit."""
    fast: int
    due_slow: int
    """Completed, or open for longer than the slow limit."""
    slow: int
    """Completed within the slow limit."""


class LevelPolicy(Frozen):
    """What is promised: `fast_share` of all within `fast_s`, `slow_share` within `slow_s`, over `window_s`."""

    window_s: float = 900.0
    minimum: int = 20
    fast_s: float = 20.0
    fast_share: float = 0.9
    slow_s: float = 30.0
    slow_share: float = 0.95


class ChannelPolicy(Frozen):
    """What a channel is told. Where it leads stands in no history."""

    name: str
    severity: Severity = Severity.INFO
    kinds: tuple[Kind, ...] = ()
    """() = all."""
    escalation: bool = False
    """Whether it hears only of what nobody has acknowledged in time."""

    def takes(self, kind: Kind, severity: Severity) -> bool:
        """Whether such an alert is for this channel."""
        return severity.rank >= self.severity.rank and (not self.kinds or kind in self.kinds)


class AlertPolicy(Frozen):
    """The settings that decide about alerts, as the worker that looked has them."""

    interval_s: float = 15.0
    group_s: float = 30.0
    settle_s: float = 60.0
    repeat_s: float = 14_400.0
    escalate_s: float = 1800.0
    dead_letters: int = 20
    dead_letters_window_s: float = 300.0
    callback_down_s: float = 120.0
    callback_backlog_s: float = 900.0
    level: LevelPolicy = LevelPolicy()
    severities: dict[Kind, Severity] = Field(default={})
    """Of kinds that are not named here: warning."""
    channels: tuple[ChannelPolicy, ...] = ()

    def severity(self, kind: Kind) -> Severity:
        """How bad that kind is."""
        return self.severities.get(kind, Severity.WARNING)


class LookOrder(Frozen):
    """The input of `observe`; the worker's settings say the rest."""

    calm_s: float = 0.0
    """Seconds that the look may go on for as long as nothing is wrong: a history has better things to hold."""


class Observation(Frozen):
    """What one look has found."""

    policy: AlertPolicy
    dead_letters: tuple[DeadLetterGroup, ...] = ()
    accounts: tuple[AccountFacts, ...] = ()
    odoos: tuple[OdooFacts, ...] = ()
    level: LevelFacts | None = None


class Condition(Frozen):
    """Something that is wrong now, in words for operators."""

    kind: Kind
    subject: str
    count: int = 1
    since: float | None = None
    """Where more is known than when it was seen first."""
    what: str
    remedy: str
    command: str
    """The command line that shows more."""
    query: str | None = None
    """The Web UI's query that shows what is meant."""
    workflow_id: str | None = None
    """The workflow whose page shows it."""

    @property
    def key(self) -> tuple[Kind, str]:
        """Conditions with the same key are the same alert."""
        return self.kind, self.subject


class Alert(Frozen):
    """Something wrong, from its first sight until it is gone."""

    number: int
    condition: Condition
    severity: Severity
    opened_at: float
    seen_at: float
    told_at: float | None = None
    """The last message."""
    first_told_at: float | None = None
    told: tuple[str, ...] = ()
    """The channels that were told."""
    escalated: bool = False
    acked_by: str | None = None
    acked_at: float | None = None
    acked_reason: str | None = None

    @property
    def since(self) -> float:
        """Since when it is so, as far as known."""
        return self.condition.since or self.opened_at


class Notice(Frozen):
    """What a channel is to be told of one alert."""

    event: Event
    alert: Alert
    at: float


class ChannelState(Frozen):
    """What a channel has still to be told, and how it fares."""

    name: str
    pending: tuple[Notice, ...] = ()
    attempts: int = 0
    """Failures since the last success."""
    next_at: float = 0.0
    failing_since: float | None = None
    error: str | None = None
    sent_at: float | None = None
    """The last success."""


class Arrivals(Frozen):
    """How many dead letters were new at a look."""

    at: float
    count: int


class AlertsState(Frozen):
    """The input of `alerts`: what a run hands on to the next."""

    alerts: tuple[Alert, ...] = ()
    last_number: int = 0
    channels: tuple[ChannelState, ...] = ()
    arrivals: tuple[Arrivals, ...] = ()
    groups: dict[str, int] | None = None
    """Open dead letters by group at the last look; None = there was none yet."""
    policy: AlertPolicy | None = None
    log: tuple[str, ...] = ()


class Ack(Frozen):
    """Somebody takes care: no more messages until it is over."""

    by: Said
    alert: int | None = None
    """The alert's number; None = all that are open."""
    reason: Said | None = None


class SendOrder(Frozen):
    """The input of `send-alert`: one message for one channel."""

    channel: str
    notices: tuple[Notice, ...]
