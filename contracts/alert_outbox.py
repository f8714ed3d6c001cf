"""What each channel has still to be told: one message at a time, tried again for a day. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from contracts.alerts import Alert, AlertPolicy, ChannelState, Event, Notice

DAY_S = 86_400.0
"""Seconds for which a message is tried."""
FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 300.0
MOST_AT_ONCE = 20
"""Alerts in one message."""
MOST_WAITING = 100
"""Alerts that a channel has still to be told of; the state they stand in must fit the input of the next run."""


def aligned(channels: Iterable[ChannelState], policy: AlertPolicy) -> tuple[ChannelState, ...]:
    """The channels that are configured; what others had still to be told goes with them."""
    known = {channel.name: channel for channel in channels}
    return tuple(known.get(wanted.name, ChannelState(name=wanted.name)) for wanted in policy.channels)


def post(channels: Iterable[ChannelState], notice: Notice, to: Iterable[str]) -> tuple[ChannelState, ...]:
    """The channels once these have the notice to tell; it stands in for an earlier one of the same alert."""
    chosen = frozenset(to)
    return tuple(_with(channel, notice) if channel.name in chosen else channel for channel in channels)


def _with(channel: ChannelState, notice: Notice) -> ChannelState:
    others = [each for each in channel.pending if each.alert.number != notice.alert.number]
    return channel.model_copy(update={"pending": _bounded((*others, notice))})


def _bounded(pending: tuple[Notice, ...]) -> tuple[Notice, ...]:
    """What is told before the rest is given up: what still is so, then the newest."""
    if len(pending) <= MOST_WAITING:
        return pending
    over = [each for each in pending if each.event is Event.RESOLVED]
    given_up = (over or pending)[0]
    return tuple(each for each in pending if each is not given_up)


def refreshed(channels: Iterable[ChannelState], alerts: Iterable[Alert]) -> tuple[ChannelState, ...]:
    """The channels with what waits brought up to date: a message that comes late has today's numbers."""
    known = {alert.number: alert for alert in alerts}
    return tuple(_refreshed(channel, known) if channel.pending else channel for channel in channels)


def _refreshed(channel: ChannelState, known: Mapping[int, Alert]) -> ChannelState:
    pending = [each.model_copy(update={"alert": known.get(each.alert.number, each.alert)}) for each in channel.pending]
    return channel.model_copy(update={"pending": tuple(pending)})


def next_message(channel: ChannelState, now: float) -> tuple[Notice, ...]:
    """What is to be sent now; () = nothing."""
    return channel.pending[:MOST_AT_ONCE] if now >= channel.next_at else ()


def sent(channel: ChannelState, message: Iterable[Notice], now: float) -> ChannelState:
    """The channel after it took a message; what came meanwhile stays."""
    return ChannelState(name=channel.name, pending=_without(channel, message), sent_at=now)


def _without(channel: ChannelState, message: Iterable[Notice]) -> tuple[Notice, ...]:
    done = {(each.alert.number, each.event, each.at) for each in message}
    return tuple(each for each in channel.pending if (each.alert.number, each.event, each.at) not in done)


def failed(channel: ChannelState, reason: str, now: float) -> ChannelState:
    """The channel after it did not take a message; what has waited for a day is given up."""
    attempts = channel.attempts + 1
    return channel.model_copy(
        update={
            "pending": tuple(each for each in channel.pending if now - each.at < DAY_S),
            "attempts": attempts,
            "next_at": now + min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(attempts - 1, 10)),
            "failing_since": channel.failing_since or now,
            "error": reason,
        }
    )


def given_up(before: ChannelState, after: ChannelState) -> int:
    """How many messages were given up between two states."""
    return len(before.pending) - len(after.pending)


def next_due(channels: Iterable[ChannelState], busy: Iterable[str]) -> float | None:
    """When the next message is due, in epoch seconds; None = none waits."""
    resting = set(busy)
    return min((each.next_at for each in channels if each.pending and each.name not in resting), default=None)
