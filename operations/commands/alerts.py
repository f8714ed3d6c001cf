"""`alerts`: what is wrong now, who takes care, and whether messages arrive."""

from __future__ import annotations

import time

import click

from contracts.alert_board import Board, ChannelShown
from contracts.alert_texts import clock, headline
from contracts.alerts import Ack, Alert
from operations.alerts import acknowledge, chosen_channels, problems, read_board, try_channels
from operations.commands.authors import by_option, reason_option
from operations.console import Context, json_option, print_json, print_table, run, say, warn
from starter.api.executions import Way

_NOT_TAKEN = 1
_ALERTS = ("alert", "severity", "what", "since", "state", "what to do")
_CHANNELS = ("channel", "state", "waiting", "last message")


@click.group()
def alerts() -> None:
    """What is wrong, whom it was told, and who takes care of it."""


@alerts.command("list")
@json_option
@click.pass_obj
def list_alerts(context: Context, *, as_json: bool) -> None:
    """Show open alerts and how the channels fare; needs no worker."""
    board, lines = run(_read(context))
    if as_json:
        content = board.model_dump(mode="json", include={"alerts", "channels", "looked_at", "trouble"})
        print_json({**content, "problems": lines})
        return
    if board.alerts:
        print_table("Alerts", _ALERTS, [_row(alert) for alert in board.alerts])
    else:
        say("no alert is open")
    if board.channels:
        print_table("\nChannels", _CHANNELS, [_channel(channel) for channel in board.channels])
    for line in lines:
        warn(line)


async def _read(context: Context) -> tuple[Board, list[str]]:
    settings = context.settings()
    board = await read_board(await context.client())
    return board or Board(), list(problems(settings, board, time.time()))


def _row(alert: Alert) -> tuple[object, ...]:
    told = f"told {', '.join(alert.told) or 'no channel'}" if alert.told_at else "not told yet"
    state = f"acknowledged by {alert.acked_by}" if alert.acked_by else told + ", escalated" * alert.escalated
    what = f"{headline(alert)}: {alert.condition.what}"
    return (alert.number, alert.severity, what, clock(alert.since), state, alert.condition.remedy)


def _channel(channel: ChannelShown) -> tuple[object, ...]:
    failing = f"fails since {clock(channel.failing_since)}" if channel.failing_since else "in service"
    return (channel.name, failing, channel.waiting, clock(channel.sent_at) if channel.sent_at else None)


@alerts.command("history")
@click.option("--limit", default=60, show_default=True, type=click.IntRange(1), help="Most lines that are shown.")
@json_option
@click.pass_obj
def history(context: Context, *, limit: int, as_json: bool) -> None:
    """Show what was told, acknowledged and resolved, oldest first (UTC); needs no worker."""
    board, _ = run(_read(context))
    lines = board.log[-limit:]
    if as_json:
        print_json({"history": list(lines)})
        return
    for line in lines or ("nothing has happened so far",):
        say(line)


@alerts.command("ack")
@click.argument("number", metavar="ALERT", type=click.IntRange(1), required=False)
@click.option("--all", "is_all", is_flag=True, help="All that are open.")
@by_option("Who takes care.")
@reason_option("What is being done; others read it.", required=False)
@click.pass_obj
def ack(context: Context, *, number: int | None, is_all: bool, by: str, reason: str | None) -> None:
    """Take care of ALERT: no more messages until it is over."""
    if (number is None) != is_all:
        raise click.UsageError("name one ALERT, or --all")
    way, chosen = run(_ack(context, Ack(by=by, alert=number, reason=reason)))
    for alert in chosen:
        before = f" by {alert.acked_by} before" if alert.acked_by else ""
        say(f"{alert.number}: acknowledged{before}, {headline(alert)}")
    if way is Way.SIGNAL:
        warn("noted; no worker has answered yet, it takes effect once one runs")


async def _ack(context: Context, order: Ack) -> tuple[Way, tuple[Alert, ...]]:
    return await acknowledge(await context.client(), order)


@alerts.command("test")
@click.option("--channel", "channels", multiple=True, metavar="NAME", help="Only this channel; may be repeated.")
@json_option
@click.pass_context
def try_out(ctx: click.Context, channels: tuple[str, ...], *, as_json: bool) -> None:
    """Send a real message through every channel, from here; needs neither Temporal nor a worker.

    Exit code: 1 where a channel does not take it.
    """
    context: Context = ctx.obj
    settings = context.settings()
    tried = run(try_channels(settings, chosen_channels(settings, channels), time.time()))
    if as_json:
        print_json({"channels": [one.model_dump(mode="json") for one in tried]})
    for one in [] if as_json else tried:
        if one.problem is None:
            say(f"{one.channel}: ok")
        else:
            warn(f"{one.channel}: failed: {one.problem}")
    if any(one.problem for one in tried):
        ctx.exit(_NOT_TAKEN)
