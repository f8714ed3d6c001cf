"""Builders of what a look finds, and a story of looks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from contracts.alerting import observed
from contracts.alerts import (
    Alert,
    AlertPolicy,
    AlertsState,
    ChannelPolicy,
    Condition,
    DeadLetterGroup,
    Event,
    Kind,
    Notice,
    Observation,
    Severity,
)

BEGIN = 1_800_000_000.0
OPS, PAGER = ChannelPolicy(name="ops"), ChannelPolicy(name="pager", escalation=True, severity=Severity.WARNING)


def policy(**changes: Any) -> AlertPolicy:
    """Short times: told at once, over at once, repeated and escalated never."""
    fields: dict[str, Any] = {
        "group_s": 0,
        "settle_s": 0,
        "repeat_s": 0,
        "escalate_s": 0,
        "dead_letters": 10_000,
        "channels": (OPS,),
        "severities": {Kind.QUOTA_EXHAUSTED: Severity.CRITICAL},
    }
    return AlertPolicy(**{**fields, **changes})


def letters(count: int, cause: str = "QuotaExhausted", service: str = "flux") -> tuple[DeadLetterGroup, ...]:
    """Equal dead letters; none where the count is 0."""
    return (DeadLetterGroup(cause=cause, service=service, database="acme", count=count),) if count else ()


class Story:
    """Looks at their times, and what each channel is told by them."""

    def __init__(self, **changes: Any) -> None:
        self.policy = policy(**changes)
        self.state = AlertsState()
        self.now = BEGIN

    def look(self, after_s: float = 0, **found: Any) -> list[tuple[str, Event, int]]:
        """Look `after_s` seconds later; what is told by it: (channel, event, count), taken by every channel at once."""
        self.now += after_s
        self.state = observed(self.state, Observation(policy=self.policy, **found), self.now)
        told = [
            (channel.name, notice.event, notice.alert.condition.count)
            for channel in self.state.channels
            for notice in channel.pending
        ]
        emptied = tuple(channel.model_copy(update={"pending": ()}) for channel in self.state.channels)
        self.state = self.state.model_copy(update={"channels": emptied})
        return told

    def looks(self, counts: Iterable[int], every_s: float = 15) -> list[tuple[str, Event, int]]:
        """Several looks at so many equal dead letters."""
        return [told for count in counts for told in self.look(every_s, dead_letters=letters(count))]


def notice(number: int, at: float = BEGIN, event: Event = Event.OPENED, count: int = 1) -> Notice:
    """Something to tell of an alert of that number."""
    condition = Condition(
        kind=Kind.DEAD_LETTER, subject=f"s{number}", count=count, what="w", remedy="r", command="orchestrator"
    )
    alert = Alert(number=number, condition=condition, severity=Severity.WARNING, opened_at=at, seen_at=at)
    return Notice(event=event, alert=alert, at=at)
