"""What people read about alerts: the message of a channel, in plain text. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from contracts.alerts import Alert, Condition, Event, Notice, Severity


@dataclass(frozen=True, slots=True)
class WebUi:
    """Where people find the Temporal Web UI, and the namespace."""

    url: str
    namespace: str

    def link(self, condition: Condition) -> str | None:
        """The page that shows what is meant."""
        pages = f"{self.url}/namespaces/{quote(self.namespace, safe='')}/workflows"
        if condition.query is not None:
            return f"{pages}?query={quote(condition.query, safe='')}"
        return f"{pages}/{quote(condition.workflow_id, safe='')}" if condition.workflow_id else None


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent."""

    title: str
    body: str
    severity: Severity
    over: bool
    """Whether everything it tells of is over."""


def message(notices: Sequence[Notice], web_ui: WebUi | None) -> Message:
    """One message for all notices, the worst first; needs at least one."""
    ordered = sorted(notices, key=lambda one: (one.event is Event.RESOLVED, -one.alert.severity.rank, one.at))
    worst = max((one.alert.severity for one in ordered), key=lambda severity: severity.rank)
    first = _title(ordered[0])
    title = first if len(ordered) == 1 else f"{first} and {len(ordered) - 1} more"
    over = all(one.event is Event.RESOLVED for one in ordered)
    return Message(title, "\n\n".join(_section(one, web_ui) for one in ordered), worst, over)


def _title(notice: Notice) -> str:
    alert = notice.alert
    words = {
        Event.OPENED: alert.severity.value,
        Event.REPEATED: f"still {alert.severity}",
        Event.ESCALATED: f"{alert.severity}, unacknowledged",
        Event.RESOLVED: "resolved",
    }
    return f"[{words[notice.event]}] {headline(alert)}"


def headline(alert: Alert) -> str:
    """An alert in a few words."""
    subject = "" if alert.condition.subject == "all" else f" {alert.condition.subject}"
    count = f" ({alert.condition.count})" if alert.condition.count > 1 else ""
    return f"{alert.condition.kind}{subject}{count}"


def _section(notice: Notice, web_ui: WebUi | None) -> str:
    alert, over = notice.alert, notice.event is Event.RESOLVED
    link = web_ui.link(alert.condition) if web_ui else None
    lines = [
        _title(notice),
        f"What happened: {alert.condition.what}",
        f"Since: {clock(alert.since)}" + (f", over since {clock(alert.seen_at)}" if over else ""),
        f"How many: {alert.condition.count}",
        "" if over else f"What to do: {alert.condition.remedy}",
        f"Look at it: {link}" if link else "",
        f"On the command line: {alert.condition.command}",
        f"Acknowledged by {alert.acked_by}" if alert.acked_by else "",
        "" if over or alert.acked_by else f"Acknowledge: orchestrator alerts ack {alert.number}",
        # The same on every repetition of a message: by it a receiver tells one that comes twice.
        f"Reference: alert {alert.number}, {notice.event} {clock(notice.at)}",
    ]
    return "\n".join(line for line in lines if line)


def clock(moment: float) -> str:
    """A moment for people, in UTC."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC"
