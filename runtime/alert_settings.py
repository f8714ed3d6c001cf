"""Whom to tell when something is wrong, and when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, WithJsonSchema

from contracts.alerts import AlertPolicy, ChannelPolicy, Kind, LevelPolicy, Severity
from runtime.secrets import SecretRef
from runtime.settings_values import HttpUrl, Name, Section

if TYPE_CHECKING:
    from runtime.settings import Settings

AlertKind = Annotated[Kind, WithJsonSchema({"type": "string", "enum": [kind.value for kind in Kind]})]
"""A kind of alert, as the page of the settings shows it inside a list."""


class AlertChannelSettings(Section):
    """One place where people hear of alerts: mail, Slack, PagerDuty, a webhook and whatever else Apprise knows."""

    url: SecretRef
    """Reference to the channel's Apprise URL, as `mailtos://user:password@mail.example?to=ops@example.com`."""
    severity: Severity = Severity.INFO
    """Least severity that it is told."""
    kinds: tuple[AlertKind, ...] = ()
    """The kinds of alert that it is told; none named = all."""
    escalation: bool = False
    """Whether it is told only of what nobody has acknowledged within `alerts.escalate_s`."""
    timeout_s: float = Field(default=30.0, ge=1, le=300)
    """Seconds that one message may take."""


class AlertSeveritySettings(Section):
    """How bad each kind of alert is."""

    dead_letter: Severity = Severity.WARNING
    """Requests wait for a decision."""
    dead_letter_rate: Severity = Severity.CRITICAL
    """More new dead letters than are expected."""
    service_down: Severity = Severity.CRITICAL
    """An image service does not serve."""
    quota_exhausted: Severity = Severity.CRITICAL
    """An image service's credit is used up."""
    callback_target_down: Severity = Severity.CRITICAL
    """An Odoo does not take its callbacks."""
    service_level: Severity = Severity.WARNING
    """Images come too slowly."""


class ServiceLevelSettings(Section):
    """The service level that is promised, from the acknowledgement of a request to the end of its callback."""

    window_s: float = Field(default=900.0, ge=60, le=86_400)
    """Seconds over which it is measured."""
    minimum: int = Field(default=20, ge=1, le=1_000_000)
    """Requests within the window below which nothing is said."""
    fast_s: float = Field(default=20.0, gt=0, le=3600)
    """Seconds within which most requests are to be done."""
    fast_share: float = Field(default=0.9, ge=0, le=1)
    """Share of requests that is to be done within `fast_s`; 0 = not watched."""
    slow_s: float = Field(default=30.0, gt=0, le=3600)
    """Seconds within which nearly all requests are to be done."""
    slow_share: float = Field(default=0.95, ge=0, le=1)
    """Share of requests that is to be done within `slow_s`; 0 = not watched."""


class AlertSettings(Section):
    """Alerts. They are watched for as soon as one channel is configured."""

    interval_s: float = Field(default=15.0, ge=1, le=3600)
    """Seconds between two looks."""
    web_ui_url: HttpUrl | None = None
    """Where people find the Temporal Web UI, as http://127.0.0.1:8233; links in messages begin with it."""
    group_s: float = Field(default=30.0, ge=0, le=3600)
    """Seconds before the first message of an alert, so that what comes together stands in one."""
    settle_s: float = Field(default=60.0, ge=0, le=3600)
    """Seconds for which something must be gone before it is over."""
    repeat_s: float = Field(default=14_400.0, ge=0, le=30 * 86_400)
    """Seconds after which an unacknowledged alert is told again; 0 = never."""
    escalate_s: float = Field(default=1800.0, ge=0, le=30 * 86_400)
    """Seconds after which an unacknowledged alert goes to the channels for escalation; 0 = never."""
    dead_letters: int = Field(default=20, ge=0, le=1_000_000)
    """New dead letters within `dead_letters_window_s` that are expected; more are an alert of their own."""
    dead_letters_window_s: float = Field(default=300.0, ge=10, le=86_400)
    """Seconds over which new dead letters are counted."""
    callback_down_s: float = Field(default=120.0, ge=5, le=86_400)
    """Seconds for which an Odoo's callbacks must fail before it counts as down."""
    callback_backlog_s: float = Field(default=900.0, ge=10, le=86_400)
    """Seconds that the oldest callback may wait for a worker or for the rate limit."""
    severity: AlertSeveritySettings = AlertSeveritySettings()
    service_level: ServiceLevelSettings = ServiceLevelSettings()
    channels: dict[Name, AlertChannelSettings] = Field(default={})
    """Whom to tell, by name."""

    def policy(self) -> AlertPolicy:
        """What decides about alerts; it holds no address."""
        same = AlertPolicy.model_fields.keys() & type(self).model_fields.keys() - {"channels"}
        return AlertPolicy(
            **{name: getattr(self, name) for name in same},
            level=LevelPolicy(**self.service_level.model_dump()),
            severities={kind: getattr(self.severity, kind.replace("-", "_")) for kind in Kind},
            channels=tuple(
                ChannelPolicy(name=name, **one.model_dump(include=ChannelPolicy.model_fields.keys() - {"name"}))
                for name, one in self.channels.items()
            ),
        )


def alert_disagreements(settings: Settings) -> Iterator[str]:
    """What contradicts itself in the section of alerts."""
    channels, level = settings.alerts.channels, settings.alerts.service_level
    if channels and all(channel.escalation for channel in channels.values()):
        yield "alerts.channels: all are for escalation, so nobody is told first; set escalation = false for one"
    for name, channel in channels.items():
        for kind, times in Counter(channel.kinds).items():
            if times > 1:
                yield f"alerts.channels.{name}.kinds: {kind} stands there {times} times; keep one"
    if level.fast_s > level.slow_s:
        yield "alerts.service_level.fast_s: is longer than slow_s; exchange them"
