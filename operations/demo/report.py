"""What the demo says at the end: a table for people, one document for programs, and whether all went well."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from operations.demo.run import DemoRun, Tracked


def succeeded(run: DemoRun) -> bool:
    """Whether everything acknowledged was settled as expected, exactly once, and nothing is parked."""
    return not run.duplicates and all(one.problem is None and one.outcome == one.request.outcome for one in run.tracked)


def document(run: DemoRun) -> dict[str, Any]:
    """The JSON document."""
    return {
        "requested": len(run.tracked),
        "delivered": _count(run, "completed"),
        "rejected": _count(run, "rejected"),
        "dead_letters": sum(one.stage == "parked" for one in run.tracked),
        "deduplicated": sum(one.deduplicated for one in run.tracked),
        "duplicates": run.duplicates,
        "acknowledge_ms": _percentiles([one.acknowledge_ms for one in run.tracked]),
        "delivered_ms": _percentiles([one.delivered_ms for one in run.tracked]),
        "requests": [_entry(one) for one in run.tracked],
    }


WIDE = 100
"""Characters from which on there is room to say what each request is about."""


def table(run: DemoRun, width: int) -> Table:
    """The table of all requests, for a terminal of that width."""
    view = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    room_for_id = 40 if width >= WIDE else max(10, width - 66)
    view.add_column("request", no_wrap=True, overflow="ellipsis", max_width=room_for_id)
    view.add_column("dialect", no_wrap=True, min_width=11)
    if width >= WIDE:
        view.add_column("what", no_wrap=True, min_width=24)
    view.add_column("outcome", no_wrap=True, overflow="ellipsis", min_width=9)
    for name, room in (("attempts", 8), ("image", 8), ("ack ms", 6), ("callback ms", 11)):
        view.add_column(name, justify="left" if name == "image" else "right", no_wrap=True, min_width=room)
    for one in run.tracked:
        view.add_row(*_cells(one, wide=width >= WIDE))
    return view


def _cells(one: Tracked, *, wide: bool) -> list[str]:
    return [
        one.request.request_id,
        one.request.route.dialect,
        *([one.request.what] if wide else []),
        _outcome(one),
        str(one.attempts),
        (one.image or "")[:8],
        _milliseconds(one.acknowledge_ms),
        _milliseconds(one.delivered_ms),
    ]


def summary(run: DemoRun) -> str:
    """One line of counts."""
    doc = document(run)
    return (
        f"{doc['requested']} requests: {doc['delivered']} delivered, {doc['rejected']} rejected, "
        f"{doc['dead_letters']} dead letters; {doc['deduplicated']} repeated posts answered without a second run, "
        f"{doc['duplicates']} duplicates; acknowledged in {doc['acknowledge_ms']['p50']} ms (p50), "
        f"{doc['acknowledge_ms']['p99']} ms (p99)"
    )


def _count(run: DemoRun, outcome: str) -> int:
    return sum(one.outcome == outcome for one in run.tracked)


def _outcome(one: Tracked) -> str:
    if one.problem:
        return f"[red]{escape(one.problem)}[/red]"
    colour = {"completed": "green", "rejected": "yellow"}.get(one.outcome or "", "red")
    return f"[{colour}]{one.outcome or one.stage}[/{colour}]"


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _percentiles(values: Sequence[float | None]) -> dict[str, float | None]:
    known = sorted(value for value in values if value is not None)
    return {"p50": _percentile(known, 50), "p99": _percentile(known, 99)}


def _percentile(ordered: Sequence[float], percent: int) -> float | None:
    if not ordered:
        return None
    return round(ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)], 1)


def _entry(one: Tracked) -> dict[str, Any]:
    return {
        "request_id": one.request.request_id,
        "dialect": one.request.route.dialect,
        "what": one.request.what,
        "outcome": one.outcome,
        "expected": one.request.outcome,
        "image_calls": one.attempts,
        "image_sha256": one.image,
        "acknowledge_ms": one.acknowledge_ms and round(one.acknowledge_ms, 1),
        "delivered_ms": one.delivered_ms and round(one.delivered_ms, 1),
        "deduplicated": one.deduplicated,
        "problem": one.problem,
    }
