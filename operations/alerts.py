"""Alerts for operators: reading what is open, acknowledging, trying channels out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

from contracts import names
from contracts.alert_board import TOLD_EVERY_S, Board
from contracts.alert_texts import Message, clock
from contracts.alerts import Ack, Alert, Severity
from contracts.model import Frozen
from runtime.alert_channels import AlertNotSentError, send
from runtime.secrets import SecretMissingError
from runtime.settings import Settings
from runtime.suggestions import suggestion
from runtime.updates import execute_update
from starter.api.executions import UPDATE_S, RequestError, Way

STALE_S = 2 * TOLD_EVERY_S
"""Seconds after which what the memo says is old: nobody looks."""


class AlertsError(RequestError):
    """What was asked of the alerts cannot be done. The message says what to do."""


class Tried(Frozen):
    """What came of a test message."""

    channel: str
    problem: str | None = None
    """Why it was not taken and what to do; None = it was."""


async def read_board(client: Client) -> Board | None:
    """What is open, by the memo, so without a worker; None where nobody watches. Raises `RPCError`."""
    try:
        described = await client.get_workflow_handle(names.ALERTS_WORKFLOW).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    if described.close_time is not None:
        return None
    board: Board = await described.memo_value(names.MEMO_ALERTS, Board(), type_hint=Board)
    return board


def problems(settings: Settings, board: Board | None, now: float) -> Iterator[str]:
    """One line, with its remedy, for each thing that keeps alerts from reaching anybody. `now` is epoch seconds."""
    if not settings.alerts.channels:
        yield "no channel is configured, so nobody is told: set alerts.channels.NAME.url (docs/alerts.md)"
        return
    if board is None:
        yield "the workflow alerts does not run: start a worker that has the channels in its configuration"
        return
    if board.trouble is not None:
        yield f"the last look has failed: {board.trouble}"
    elif board.looked_at is None or now - board.looked_at > STALE_S:
        since = f"since {clock(board.looked_at)}" if board.looked_at else "so far"
        yield f"nobody has looked {since}: start a worker"
    for channel in board.channels:
        if channel.failing_since is not None:
            since = clock(channel.failing_since)
            yield f"channel {channel.name} fails since {since}: {channel.error} (orchestrator alerts test)"


async def acknowledge(client: Client, order: Ack) -> tuple[Way, tuple[Alert, ...]]:
    """Silence an open alert, or all; how that was told, and which it is about. Raises `AlertsError`, `RPCError`."""
    board = await read_board(client)
    if board is None:
        raise AlertsError("the workflow alerts does not run, so nothing is open: see orchestrator alerts list")
    chosen = tuple(alert for alert in board.alerts if order.alert in {None, alert.number})
    handle = client.get_workflow_handle(names.ALERTS_WORKFLOW)
    try:
        await asyncio.wait_for(execute_update(handle, names.ACK, [order]), UPDATE_S)
    except WorkflowUpdateFailedError as error:
        raise AlertsError(str(getattr(error.cause, "message", error.cause))) from None
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
        if not chosen:
            raise AlertsError("no such alert is open, and no worker answers: see orchestrator alerts list") from None
        await handle.signal(names.ACK, order)
        return Way.SIGNAL, chosen
    return Way.UPDATE, chosen


def chosen_channels(settings: Settings, wanted: Iterable[str]) -> tuple[str, ...]:
    """The channels that are meant; none named = all. Raises `AlertsError`."""
    known, chosen = settings.alerts.channels, tuple(dict.fromkeys(wanted))
    if not known:
        raise AlertsError("no channel is configured: set alerts.channels.NAME.url (docs/alerts.md)")
    for name in chosen:
        if name not in known:
            raise AlertsError(f"there is no channel {name!r}; {suggestion(name, known)}")
    return chosen or tuple(known)


async def try_channels(settings: Settings, channels: Iterable[str], now: float) -> list[Tried]:
    """Send a test message through each of the channels, all at once. `now` is epoch seconds."""
    return list(await asyncio.gather(*(_try(settings, name, now) for name in channels)))


async def _try(settings: Settings, name: str, now: float) -> Tried:
    text = f"This is a test of the channel {name}, sent {clock(now)} by orchestrator alerts test. Nothing is wrong."
    try:
        await send(settings.alerts.channels[name], Message("[test] alerts", text, Severity.INFO, over=False))
    except (AlertNotSentError, SecretMissingError) as error:
        return Tried(channel=name, problem=str(error))
    return Tried(channel=name)
