"""`dead-letters`: what waits for a decision, and the decisions."""

from __future__ import annotations

import click

from operations.commands.decisions import discard, redrive
from operations.commands.filters import filter_options
from operations.commands.requests import ask_worker, route_option, show
from operations.console import Context, json_option, print_json, print_table, run, say
from operations.dead_letters import DeadLetter, DeadLetters, Filter, find_dead_letters
from starter.api.executions import DecisionRefusedError, find_request

_COLUMNS = ("request", "route", "service", "cause", "code", "step", "since (UTC)", "message")
_MESSAGE_LIMIT = 80


@click.group("dead-letters")
def dead_letters() -> None:
    """Requests that failed for good and wait, with all their context, for a decision."""


@dead_letters.command("list")
@filter_options("--service")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="Most rows that are shown.")
@json_option
@click.pass_obj
def list_letters(
    context: Context,
    /,
    *,
    limit: int,
    as_json: bool,
    of_service: str | None,
    **chosen: str | None,
) -> None:
    """List dead letters; needs no worker."""
    found = run(_find(context, Filter(service=of_service, **chosen), limit))
    if as_json:
        letters = [letter.model_dump(mode="json") for letter in found.letters]
        print_json({"dead_letters": letters, "total": found.total, "counts": dict(found.counts)})
    else:
        _show_list(found)


async def _find(context: Context, chosen: Filter, limit: int) -> DeadLetters:
    return await find_dead_letters(await context.client(), chosen, limit)


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


@dead_letters.command("show")
@click.argument("request_id", metavar="ID")
@route_option
@json_option
@click.pass_obj
def show_letter(context: Context, *, request_id: str, route: str | None, as_json: bool) -> None:
    """Show why a request is parked and what to do."""
    run(_show(context, request_id, route, as_json=as_json))


async def _show(context: Context, request_id: str, route: str | None, *, as_json: bool) -> None:
    client = await context.client()
    state = await find_request(client, context.settings(), request_id, route)
    if state.parked is None or not state.open:
        raise DecisionRefusedError(f"{request_id} is no dead letter: see it with: orchestrator status {request_id}")
    if as_json:
        remedy = state.parked.failure.rule.remedy
        print_json({**state.model_dump(mode="json"), "remedy": remedy})
    else:
        show(state, await ask_worker(client, state))


dead_letters.add_command(redrive)
dead_letters.add_command(discard)
