"""Alerts: whether anybody would be told."""

from __future__ import annotations

import time

from operations.alerts import problems, read_board
from operations.doctor.finding import Finding, ok, warn
from operations.doctor.namespace import Namespace


async def look(namespace: Namespace) -> list[Finding]:
    """The configured channels, and what keeps alerts from them. No message is sent."""
    settings, board = namespace.settings, await read_board(namespace.client)
    found = [warn("alerts", line, "see `orchestrator alerts list`") for line in problems(settings, board, time.time())]
    if found:
        return found
    return [ok("alerts", f"channels: {', '.join(settings.alerts.channels)}")]
