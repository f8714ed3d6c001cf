"""The demo's live picture: every request and the stage it is in."""

from __future__ import annotations

from collections import Counter

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from operations.demo.run import DemoRun

STAGES = ("waiting", "acknowledged", "generating", "delivering", "parked", "completed", "rejected")
_COLOURS = {"completed": "green", "rejected": "yellow", "parked": "red", "failed": "red"}


class LivePicture:
    """Drawn anew by rich at each refresh."""

    def __init__(self, run: DemoRun) -> None:
        self._run = run

    def __rich__(self) -> Group:
        """Counts per stage, a bar, and a line per request."""
        tracked = self._run.tracked
        counts = Counter(one.stage for one in tracked)
        done = sum(one.outcome is not None for one in tracked)
        stages = [*STAGES, *sorted(set(counts) - set(STAGES))]
        heads = Text("  ").join(Text(f"{name} {counts[name]}", _COLOURS.get(name, "cyan")) for name in stages)
        lines = Table.grid(padding=(0, 2))
        for one in tracked:
            stage = Text(one.stage, _COLOURS.get(one.stage, "cyan"))
            lines.add_row(one.request.route.dialect, one.request.what, stage)
        return Group(heads, ProgressBar(total=len(tracked), completed=done, width=60), lines)
