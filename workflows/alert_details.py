"""What an operator reads about alerts in the Web UI, in Markdown. Pure."""

from __future__ import annotations

from contracts.alert_board import Board, ChannelShown
from contracts.alert_texts import clock, headline
from contracts.alerts import Alert

_SHOWN = 30


def render(board: Board) -> str:
    """The current details of `alerts`."""
    count = len(board.alerts)
    parts = [f"**{count} open alert{'' if count == 1 else 's'}**" if count else "**No alert is open.**"]
    if board.trouble:
        parts.append(f"**The last look has failed**: {_literal(board.trouble)}. It is tried again.")
    parts += [_alert(alert) for alert in board.alerts[:_SHOWN]]
    parts += [f"{count - _SHOWN} more: `orchestrator alerts list`"] if count > _SHOWN else []
    if count:
        parts.append('More Actions → Send an Update → `ack` with `{"by": "you", "alert": 1}` silences alert 1.')
    parts.append("### Channels\n" + "\n".join(_channel(channel) for channel in board.channels))
    parts.append("### What happened\n" + "\n".join(f"- {_literal(line)}" for line in reversed(board.log)))
    return "\n\n".join(parts) + "\n"


def _alert(alert: Alert) -> str:
    condition = alert.condition
    acked = f"acknowledged by {_literal(alert.acked_by)}" if alert.acked_by else _telling(alert)
    lines = [
        f"### {alert.number}: {alert.severity}, {_literal(headline(alert))}",
        f"- What happened: {_literal(condition.what)}",
        f"- Since {clock(alert.since)}; {acked}",
        f"- What to do: {_literal(condition.remedy)}",
        f"- Command: {_literal(condition.command)}",
        f"- Filter of the list of workflows: {_literal(condition.query)}" if condition.query else "",
        f"- Its workflow: {_literal(condition.workflow_id)}" if condition.workflow_id else "",
    ]
    return "\n".join(line for line in lines if line)


def _telling(alert: Alert) -> str:
    if alert.told_at is None:
        return "not told yet"
    whom = ", ".join(alert.told) or "no channel takes it"
    return f"told {clock(alert.told_at)}{', escalated' if alert.escalated else ''}: {whom}"


def _channel(channel: ChannelShown) -> str:
    if channel.failing_since is not None:
        again = f", next try {clock(channel.next_at)}" if channel.next_at else ""
        why = _literal(channel.error or "unknown")
        return f"- **`{channel.name}` fails** since {clock(channel.failing_since)}: {why}{again}"
    sent = f"last message {clock(channel.sent_at)}" if channel.sent_at else "no message so far"
    return f"- `{channel.name}`: {sent}" + (f", {channel.waiting} waiting" if channel.waiting else "")


def _literal(text: str) -> str:
    # Text from outside must not become Markdown or a link in the operator's browser.
    return "`" + text.replace("`", "'") + "`"
