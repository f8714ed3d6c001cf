"""`dead-letters`: what waits for a decision, and the decisions."""

from __future__ import annotations

from typing import Any

import click

from contracts.dead_letters import DeadLetter, LetterFilter
from operations.commands.batches import batch, list_batches
from operations.commands.dead_letter_reports import export, plan_batch, show_letter
from operations.commands.decisions import discard, redrive
from operations.commands.filters import chosen, filter_options
from operations.console import Context, json_option, print_json, print_table, run, say
from operations.dead_letters import DeadLetters, find_dead_letters

_COLUMNS = ("request", "route", "service", "cause", "code", "step", "since (UTC)", "message")
_MESSAGE_LIMIT = 80


@click.group("dead-letters")
def dead_letters() -> None:
    """Requests that failed for good and wait, with all their context, for a decision."""


@dead_letters.command("list")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@filter_options("--service")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="Most rows that are shown.")
@json_option
@click.pass_obj
def list_letters(context: Context, /, *, limit: int, as_json: bool, ids: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401 - the filters
    """List dead letters; needs no worker."""
    found = run(_find(context, chosen(options, ids), limit))
    if as_json:
        letters = [letter.model_dump(mode="json") for letter in found.letters]
        print_json({"dead_letters": letters, "total": found.total, "counts": dict(found.counts)})
    else:
        _show_list(found)


async def _find(context: Context, wanted: LetterFilter, limit: int) -> DeadLetters:
    return await find_dead_letters(await context.client(), wanted, limit)


def _show_list(found: DeadLetters) -> None:
    if not found.total:
        say("nothing is parked")
        return
    print_table("Dead letters", _COLUMNS, [_row(letter) for letter in found.letters])
    hidden = found.total - len(found.letters)
    causes = ", ".join(f"{cause} {count}" for cause, count in found.counts.items())
    say(f"\n{found.total} in all: {causes}" + (f" ({hidden} not shown: raise --limit)" if hidden else ""))


def _row(letter: DeadLetter) -> tuple[object, ...]:
    message = letter.message or ""
    shown = message if len(message) <= _MESSAGE_LIMIT else f"{message[: _MESSAGE_LIMIT - 1]}…"
    since = f"{letter.since:%Y-%m-%d %H:%M}" if letter.since else None
    return (letter.request_id, letter.route, letter.service, letter.cause, letter.code, letter.step, since, shown)


for command in (show_letter, plan_batch, redrive, discard, export, list_batches, batch):
    dead_letters.add_command(command)
