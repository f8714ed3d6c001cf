"""Which alerts open, go on, escalate and end, and who is told. Pure: the clock is passed in."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from contracts.alert_conditions import conditions, new_dead_letters
from contracts.alert_outbox import aligned, post, refreshed
from contracts.alerts import (
    LOG_LIMIT,
    Ack,
    Alert,
    AlertPolicy,
    AlertsState,
    Arrivals,
    Condition,
    Event,
    Notice,
    Observation,
)


def observed(state: AlertsState, seen: Observation, now: float) -> AlertsState:
    """The state after a look."""
    arrivals = _arrivals(state, seen, now)
    state = state.model_copy(
        update={
            "policy": seen.policy,
            "channels": aligned(state.channels, seen.policy),
            "arrivals": arrivals,
            "groups": {group.subject: group.count for group in seen.dead_letters},
        }
    )
    state = _met(state, conditions(seen, arrivals), now)
    state = _ended(state, seen.policy, now)
    state = _told(state, seen.policy, now)
    return state.model_copy(update={"channels": refreshed(state.channels, state.alerts)})


def _arrivals(state: AlertsState, seen: Observation, now: float) -> tuple[Arrivals, ...]:
    new = new_dead_letters(state.groups, seen.dead_letters)
    recent = [each for each in state.arrivals if now - each.at < seen.policy.dead_letters_window_s]
    return (*recent, Arrivals(at=now, count=new)) if new else tuple(recent)


def _met(state: AlertsState, found: Iterable[Condition], now: float) -> AlertsState:
    by_key = {alert.condition.key: alert for alert in state.alerts}
    number, policy = state.last_number, state.policy or AlertPolicy()
    for condition in found:
        known = by_key.get(condition.key)
        severity = policy.severity(condition.kind)
        if known is None:
            number += 1
            known = Alert(number=number, condition=condition, severity=severity, opened_at=now, seen_at=now)
        by_key[condition.key] = known.model_copy(update={"condition": condition, "severity": severity, "seen_at": now})
    return state.model_copy(update={"alerts": tuple(by_key.values()), "last_number": number})


def _ended(state: AlertsState, policy: AlertPolicy, now: float) -> AlertsState:
    for alert in state.alerts:
        if alert.seen_at < now and now - alert.seen_at >= policy.settle_s:
            state = _without(state, alert)
            if alert.first_told_at is not None:
                state = _announce(state, Event.RESOLVED, alert, alert.told, now)
    return state


def _without(state: AlertsState, alert: Alert) -> AlertsState:
    left = tuple(each for each in state.alerts if each.number != alert.number)
    return state.model_copy(update={"alerts": left})


def _told(state: AlertsState, policy: AlertPolicy, now: float) -> AlertsState:
    for alert in state.alerts:
        event = _due(alert, policy, now)
        if event is not None:
            to = _recipients(alert, event, policy)
            told = _marked(alert, event, to, now)
            state = _replaced(state, told)
            state = _announce(state, event, told, to, now)
    return state


def _due(alert: Alert, policy: AlertPolicy, now: float) -> Event | None:
    """What is to be told of an alert that is open."""
    # One that is not there just now may be over: nobody is told of it again.
    if alert.acked_by is not None or alert.seen_at < now:
        return None
    if alert.told_at is None or alert.first_told_at is None:
        return Event.OPENED if now - alert.opened_at >= policy.group_s else None
    if _escalates(alert, policy) and now - alert.first_told_at >= policy.escalate_s:
        return Event.ESCALATED
    repeats = policy.repeat_s > 0 and now - alert.told_at >= policy.repeat_s
    return Event.REPEATED if repeats else None


def _escalates(alert: Alert, policy: AlertPolicy) -> bool:
    further = _recipients(alert, Event.ESCALATED, policy)
    return policy.escalate_s > 0 and not alert.escalated and bool(further)


def _recipients(alert: Alert, event: Event, policy: AlertPolicy) -> tuple[str, ...]:
    if event is Event.REPEATED:
        return alert.told
    escalation = event is Event.ESCALATED
    return tuple(
        channel.name
        for channel in policy.channels
        if channel.escalation == escalation and channel.takes(alert.condition.kind, alert.severity)
    )


def _marked(alert: Alert, event: Event, to: tuple[str, ...], now: float) -> Alert:
    return alert.model_copy(
        update={
            "told_at": now,
            "first_told_at": alert.first_told_at or now,
            "told": (*alert.told, *(name for name in to if name not in alert.told)),
            "escalated": alert.escalated or event is Event.ESCALATED,
        }
    )


def _replaced(state: AlertsState, alert: Alert) -> AlertsState:
    alerts = tuple(alert if each.number == alert.number else each for each in state.alerts)
    return state.model_copy(update={"alerts": alerts})


def _announce(state: AlertsState, event: Event, alert: Alert, to: tuple[str, ...], now: float) -> AlertsState:
    notice = Notice(event=event, alert=alert, at=now)
    state = state.model_copy(update={"channels": post(state.channels, notice, to)})
    whom = ", ".join(to) if to else "no channel"
    return noted(state, f"alert {alert.number} {event}, to {whom}: {alert.condition.what}", now)


def noted(state: AlertsState, line: str, now: float) -> AlertsState:
    """The state with a line more in its log."""
    stamped = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S} {line}"
    return state.model_copy(update={"log": (*state.log, stamped)[-LOG_LIMIT:]})


def refusal(state: AlertsState, ack: Ack) -> str | None:
    """Why an acknowledgement cannot be taken, or None when it can."""
    numbers = [alert.number for alert in state.alerts]
    if not numbers:
        return "no alert is open: there is nothing to acknowledge"
    if ack.alert is not None and ack.alert not in numbers:
        return f"alert {ack.alert} is not open; open: {', '.join(map(str, numbers))}"
    return None


def acknowledged(state: AlertsState, ack: Ack, now: float) -> tuple[AlertsState, tuple[int, ...]]:
    """The state once somebody takes care, and the alerts this changes; the first to acknowledge counts."""
    chosen = [each for each in state.alerts if ack.alert in (None, each.number) and each.acked_by is None]
    for alert in chosen:
        known = {"acked_by": ack.by, "acked_at": now, "acked_reason": ack.reason}
        state = _replaced(state, alert.model_copy(update=known))
        why = f": {ack.reason}" if ack.reason else ""
        state = noted(state, f"alert {alert.number} acknowledged by {ack.by}{why}", now)
    return state.model_copy(update={"channels": refreshed(state.channels, state.alerts)}), tuple(
        alert.number for alert in chosen
    )
