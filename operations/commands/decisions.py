"""`dead-letters redrive` and `discard`."""

from __future__ import annotations

import getpass
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click
from pydantic import JsonValue
from temporalio.client import Client

from contracts.decisions import Decision, Discard, Redrive
from contracts.requests import ImageRequest
from operations.commands.filters import filter_options
from operations.console import Context, json_option, print_json, run, say, warn
from operations.dead_letters import Filter, find_dead_letters
from operations.deciding import Decided, Target, decide
from starter.api.executions import Way

_Command = TypeVar("_Command", bound=Callable[..., object])
_Decision = TypeVar("_Decision", Redrive, Discard)
_JSON_STARTS = ("{", "[", '"', "null")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which requests a decision is about, and how the answer is given."""

    ids: tuple[str, ...]
    everything: bool
    confirmed: bool
    as_json: bool
    chosen: Filter


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "operator"


def _stated(_ctx: click.Context, _parameter: click.Parameter, text: str) -> str:
    if not text.strip():
        raise click.BadParameter("must not be empty")
    return text


def _decision_options(command: _Command) -> _Command:
    options = (
        click.argument("ids", nargs=-1, metavar="ID..."),
        click.option("--all", "everything", is_flag=True, help="All dead letters, or those that the filters choose."),
        click.option("--yes", "confirmed", is_flag=True, help="Do not ask before --all."),
        click.option("--reason", required=True, callback=_stated, help="Why; stands in the request's history."),
        click.option("--by", default=_user, callback=_stated, show_default="your user name", help="Who decides."),
        filter_options("--from-service"),
        json_option,
        click.pass_obj,
    )
    for option in reversed(options):
        command = option(command)
    return command


def edit(text: str) -> tuple[str, JsonValue]:
    """Field and value of FIELD=VALUE: JSON where it is an object, a list, quoted or null, else text.

    Raises `click.BadParameter`.
    """
    field, equals, value = text.partition("=")
    if not equals or field not in ImageRequest.model_fields:
        raise click.BadParameter(
            f"needs FIELD=VALUE with one of the fields {', '.join(sorted(ImageRequest.model_fields))}"
        )
    if not value.startswith(_JSON_STARTS):
        return field, value
    try:
        return field, json.loads(value)
    except ValueError:
        return field, value


def _edits(_ctx: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, JsonValue] | None:
    return dict(edit(text) for text in texts) or None


@click.command()
@_decision_options
@click.option(
    "--edit", "edits", multiple=True, callback=_edits, metavar="FIELD=VALUE", help="Change a field (JSON or text)."
)
@click.option("--service", help="Ask another configured image service.")
@click.option("--generate-again", is_flag=True, help="Allow a second payment where the first may have been made.")
def redrive(context: Context, **options: Any) -> None:  # noqa: ANN401 - as click has read them
    """Take dead letters up again at the step that failed. A failed callback never pays for another image."""
    _run(context, _decision(Redrive, options), _wanted(**options))


@click.command()
@_decision_options
def discard(context: Context, **options: Any) -> None:  # noqa: ANN401 - same
    """End dead letters for good."""
    _run(context, _decision(Discard, options), _wanted(**options))


def _decision(kind: type[_Decision], options: dict[str, Any]) -> _Decision:
    return kind.model_validate({name: options.pop(name) for name in kind.model_fields if name in options})


def _wanted(
    *,
    ids: tuple[str, ...],
    everything: bool,
    confirmed: bool,
    as_json: bool,
    of_service: str | None,
    **chosen: str | None,
) -> _Wanted:
    if bool(ids) == everything:
        raise click.UsageError("name request ids, or use --all")
    filters = Filter(service=of_service, **chosen)
    if ids and filters != Filter(route=filters.route):
        raise click.UsageError("filters go with --all; with ids only --route is possible")
    if everything and as_json and not confirmed:
        raise click.UsageError("--all with --json needs --yes: there is nobody to ask")
    return _Wanted(ids, everything, confirmed, as_json, filters)


def _run(context: Context, decision: Decision, wanted: _Wanted) -> None:
    decided = run(_decide(context, decision, wanted))
    refused = [one for one in decided if one.problem is not None]
    if wanted.as_json:
        ways = Counter(one.way for one in decided)
        counts = {"taken": ways[Way.UPDATE], "by_signal": ways[Way.SIGNAL], "refused": len(refused)}
        print_json({"decided": [one.model_dump(mode="json") for one in decided], **counts})
    else:
        _show(decided, type(decision).__name__.lower())
    if refused:
        click.get_current_context().exit(1)


async def _decide(context: Context, decision: Decision, wanted: _Wanted) -> list[Decided]:
    settings = context.settings()
    client = await context.client()
    targets = await _targets(client, wanted)
    if wanted.everything and targets and not wanted.confirmed:
        question = f"{type(decision).__name__} {len(targets)} dead letters?"
        click.confirm(question, abort=True, err=True)
    return await decide(client, settings, targets, decision)


async def _targets(client: Client, wanted: _Wanted) -> list[Target]:
    if not wanted.everything:
        return [Target(request_id, wanted.chosen.route) for request_id in dict.fromkeys(wanted.ids)]
    found = await find_dead_letters(client, wanted.chosen)
    return [Target(letter.request_id, letter.route, letter.parking) for letter in found.letters]


def _show(decided: Sequence[Decided], verb: str) -> None:
    if not decided:
        say("nothing is parked")
    for one in decided:
        if one.problem is not None:
            warn(f"{one.request_id}: {one.problem}")
        elif one.way is Way.SIGNAL:
            say(f"{one.request_id}: {verb} sent as a signal, since no worker answered; the next worker takes it")
        else:
            say(f"{one.request_id}: {verb} taken")
