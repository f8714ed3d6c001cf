"""`shadow`: how the old system, which gets copies of all requests, compares with us."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click

from operations.console import Context, json_option, print_facts, print_json, print_table, run, say
from operations.shadow import EXAMPLES, Comparison, Difference, OurOutcome, ShadowReport, compare, our_outcome
from runtime.settings import Settings
from starter.shadow.journal import Record, ShadowJournal

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_AGO = re.compile(r"(\d{1,6})([smhd])")
_COLUMNS = ("route", "request", "differs in", "ours", "theirs")
_SHOWN = 100


class _Since(click.ParamType[float]):
    name = "since"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's own signature
        """Epoch seconds."""
        ago = _AGO.fullmatch(str(value))
        if ago:
            return time.time() - int(ago[1]) * _UNITS[ago[2]]
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail("must be as long ago as 90m, 24h or 7d, or a moment as 2025-01-31T08:00", param, ctx)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@click.group()
def shadow() -> None:
    """The old system beside ours: what it answers to copies of the same requests."""


@shadow.command()
@click.option("--route", help="Only this route.")
@click.option(
    "--since",
    type=_Since(),
    metavar="WHEN",
    help="Only what came since then: 24h, 7d, 2025-01-31T08:00 (UTC).",
)
@json_option
@click.pass_obj
def report(context: Context, *, route: str | None, since: float | None, as_json: bool) -> None:
    """Compare acknowledgements and outcomes; outcomes need the old system's callbacks (docs/webhooks.md)."""
    settings = context.settings()
    if route is not None and route not in settings.routes:
        raise click.UsageError(f"there is no route {route!r}; configured: {', '.join(sorted(settings.routes))}")
    found = run(_report(context, settings, route, since or 0.0))
    if as_json:
        print_json(_document(found))
    else:
        _show(found)


async def _report(context: Context, settings: Settings, route: str | None, since: float) -> ShadowReport:
    client = await context.client()

    async def look(workflow_id: str) -> OurOutcome | None:
        return await our_outcome(client, workflow_id)

    return await compare(_chosen(settings, route, since), look)


def _chosen(settings: Settings, route: str | None, since: float) -> Iterator[Record]:
    for record in ShadowJournal(settings.store.path).records():
        if record.at >= since and route in (None, record.route):
            yield record


def _document(found: ShadowReport) -> dict[str, Any]:
    return {
        "copies": found.copies,
        "dropped": found.dropped,
        "acknowledgements": _counts(found.acknowledgements),
        "unanswered": {"count": len(found.unanswered), "examples": _examples(found.unanswered)},
        "outcomes": {
            **_counts(found.outcomes),
            "unfinished": found.unfinished,
            "untold": found.untold,
            "unknown": found.unknown,
        },
    }


def _counts(part: Comparison) -> dict[str, Any]:
    differences = {"differ": len(part.differences), "examples": _examples(part.differences)}
    return {"compared": part.compared, "alike": part.alike, **differences}


def _examples(differences: list[Difference]) -> list[dict[str, Any]]:
    return [difference.model_dump(mode="json") for difference in differences[:EXAMPLES]]


def _show(found: ShadowReport) -> None:
    if not (found.copies or found.dropped or found.unknown or found.outcomes.compared):
        say("the journal is empty: set a route's shadow and let requests come")
        return
    print_facts(
        "Shadow",
        {
            "copies sent": found.copies,
            "dropped": found.dropped or None,
            "acknowledgements": _line(found.acknowledgements),
            "not answered": len(found.unanswered) or None,
            "outcomes": _line(found.outcomes),
            "no outcome from them yet": found.untold or None,
            "still under way here": found.unfinished or None,
            "outcomes of unknown requests": found.unknown or None,
        },
    )
    differing = [*found.acknowledgements.differences, *found.outcomes.differences, *found.unanswered]
    if differing:
        say("")
        print_table("Differences", _COLUMNS, [_row(one) for one in differing[:EXAMPLES]])
        if len(differing) > EXAMPLES:
            say(f"\n{len(differing) - EXAMPLES} more: see them by route with --route, or with --json")


def _line(part: Comparison) -> str:
    return f"{part.alike} of {part.compared} alike"


def _row(one: Difference) -> tuple[str, ...]:
    return (one.route, one.request_id, one.what, _short(one.ours), _short(one.theirs))


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
