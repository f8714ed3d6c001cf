"""What operators see of the alerts without a worker: the memo of the workflow `alerts`. Pure."""

from __future__ import annotations

from contracts.alerts import Alert, ChannelState
from contracts.model import Frozen

TOLD_EVERY_S = 300.0
"""How often the memo tells that somebody looks, where nothing else changes."""


class ChannelShown(Frozen):
    """How a channel fares, for operators."""

    name: str
    waiting: int = 0
    """Alerts it has still to be told of."""
    failing_since: float | None = None
    error: str | None = None
    next_at: float | None = None
    """The next try, where one is due."""
    sent_at: float | None = None


class Board(Frozen):
    """The memo `alerts`: what operators see without a worker."""

    alerts: tuple[Alert, ...] = ()
    channels: tuple[ChannelShown, ...] = ()
    log: tuple[str, ...] = ()
    looked_at: float | None = None
    """Some look within the last minutes; when it grows old, nobody looks."""
    trouble: str | None = None
    """Why the last look has failed, where it has."""


def shown(channel: ChannelState) -> ChannelShown:
    """What operators see of a channel."""
    return ChannelShown(
        name=channel.name,
        waiting=len(channel.pending),
        failing_since=channel.failing_since,
        error=channel.error,
        next_at=channel.next_at if channel.pending and channel.attempts else None,
        sent_at=channel.sent_at,
    )
