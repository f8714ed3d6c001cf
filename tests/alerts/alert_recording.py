"""Records histories of `alerts`: `python -P -m tests.alerts.alert_recording`. Each once, for ever."""

from __future__ import annotations

import asyncio

from contracts import names
from tests.alerts.alert_scenarios import SCENARIOS, played
from tests.replay.histories import Library
from tests.replay.recording import release


async def record() -> list[str]:
    """Record the scenarios that no release has; returns their names."""
    library, version = Library(workflow=names.ALERTS_WORKFLOW), release()
    chosen = library.missing(SCENARIOS)
    histories = [await played(name) for name in chosen]
    for name, history in zip(chosen, histories, strict=True):
        library.add(library.file(name, version), history.to_json() + "\n")
    return chosen


if __name__ == "__main__":
    asyncio.run(record())
