"""`dead-letters redrive` and `discard`: some by their ids at once, many by filters as a batch."""

from __future__ import annotations

import json
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
from pydantic import JsonValue, ValidationError

from contracts.dead_letter_orders import BatchOrder
from contracts.dead_letters import LetterFilter
from contracts.requests import ImageRequest
from operations.commands.authors import author_options
from operations.commands.batches import run_attached
from operations.commands.filters import chosen, filter_options
from operations.console import Context, json_option, print_json, run, say, warn
from operations.dead_letter_batches import BatchRefusedError, order_batch
from operations.dead_letters import find_dead_letters
from operations.deciding import Decided, decide
from starter.api.executions import UnknownServiceError, Way

_Command = TypeVar("_Command", bound=Callable[..., object])
_JSON_STARTS = ("{", "[", '"', "null")
_BATCH_ONLY = ("canary", "pace", "stop_above", "name", "skip_invalid", "detach")
"""Options that only make sense for a batch."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """How the command asks and answers."""

    confirmed: bool
    as_json: bool
    detach: bool

    def check_that_it_can_ask(self, what: str) -> None:
        """Raises `click.UsageError` where nobody sits there and none has confirmed."""
        if not self.confirmed and (self.as_json or not sys.stdin.isatty()):
            raise click.UsageError(f"{what} needs --yes: there is nobody to ask")


def _batch_options(command: _Command) -> _Command:
    options = (
        click.option("--all", "everything", is_flag=True, help="All dead letters, where there is no filter."),
        click.option("--yes", "confirmed", is_flag=True, help="Do not ask where all dead letters are meant."),
        author_options,
        filter_options("--from-service"),
        click.option("--pace", type=float, metavar="R", help="Decisions a second.  [default: 10]"),
        click.option("--name", help="What the batch is called; needed to follow it.  [default: made up]"),
        click.option("--skip-invalid", is_flag=True, help="Leave those out for which the decision is not possible."),
        click.option("--detach", is_flag=True, help="Order the batch and do not follow it."),
        json_option,
        click.pass_obj,
    )
    for option in reversed(options):
        command = option(command)
    return click.argument("ids", nargs=-1, metavar="[ID]...")(command)


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


def redrive_options(command: _Command) -> _Command:
    """What a redrive may change, and how carefully many are redriven."""
    options = (
        click.option(
            "--edit",
            "edits",
            multiple=True,
            callback=_edits,
            metavar="FIELD=VALUE",
            help="Change a field (JSON or text).",
        ),
        click.option("--service", help="Ask another configured image service."),
        click.option(
            "--generate-again", is_flag=True, help="Allow a second payment where the first may have been made."
        ),
        click.option("--canary", type=int, metavar="N", help="Redrive so many first and await their outcomes."),
        click.option(
            "--stop-above", type=float, metavar="SHARE", help="Pause where more than that fail again.  [default: 0.2]"
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@_batch_options
@redrive_options
def redrive(context: Context, **options: Any) -> None:  # noqa: ANN401 - as click has read them
    """Take dead letters up again at the step that failed. A failed callback never pays for another image.

    Requests named by ID alone are decided at once; what filters choose is decided by a batch, which can be followed,
    paused and cancelled (dead-letters batch).
    """
    _run(context, "redrive", options)


@click.command()
@_batch_options
def discard(context: Context, **options: Any) -> None:  # noqa: ANN401 - same
    """End dead letters for good: those named by ID at once, what filters choose by a batch."""
    _run(context, "discard", options)


def _run(context: Context, kind: str, options: dict[str, Any]) -> None:
    ids, everything, confirmed = options.pop("ids"), options.pop("everything"), options.pop("confirmed")
    answer = _Answer(confirmed, options.pop("as_json"), options["detach"])
    batch = {name: value for name in _BATCH_ONLY if (value := options.pop(name, None)) not in (None, False)}
    batch.pop("detach", None)
    filters = chosen(options, ids)
    _check_choice(filters, everything=everything, answer=answer)
    order = make_order(kind, filters, {**options, **batch})
    if ids and filters == LetterFilter(request_ids=filters.request_ids, route=filters.route) and not batch:
        _run_at_once(context, order, as_json=answer.as_json)
    else:
        _run_batch(context, order, answer)


def _check_choice(filters: LetterFilter, *, everything: bool, answer: _Answer) -> None:
    """Nobody decides about everything without having said so; raises `click.UsageError`."""
    if filters.request_ids and everything:
        raise click.UsageError("name request ids, or use --all: not both")
    if filters.chooses_all and not everything:
        raise click.UsageError("name request ids, give a filter, or use --all")
    if everything:
        answer.check_that_it_can_ask("--all")


def _agreed(order: BatchOrder, total: int, parked: int, answer: _Answer) -> None:
    """Where a filter leaves nothing out, a person has to say that it is meant; raises `click.UsageError`, `Abort`."""
    if answer.confirmed or order.chosen.request_ids or total < parked:
        return
    answer.check_that_it_can_ask(f"this filter chooses all {total} dead letters and")
    click.confirm(f"{order.kind.capitalize()} all {total} dead letters?", abort=True, err=True)


def make_order(kind: str, filters: LetterFilter, options: dict[str, Any]) -> BatchOrder:
    """The order that a command's options ask for; raises `click.UsageError`."""
    given = {name: value for name, value in options.items() if value is not None}
    name = f"{kind}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    try:
        return BatchOrder.model_validate({"name": name, "kind": kind, "chosen": filters, **given})
    except ValidationError as error:
        first = error.errors()[0]
        raise click.UsageError(f"--{str(first['loc'][0]).replace('_', '-')}: {first['msg']}") from None


# --- by ids ---------------------------------------------------------------------------------------------------------


def _run_at_once(context: Context, order: BatchOrder, *, as_json: bool) -> None:
    decided = run(_decide(context, order))
    refused = [one for one in decided if one.problem is not None]
    if as_json:
        ways = Counter(one.way for one in decided if not one.already)
        counts = {"taken": ways[Way.UPDATE], "by_signal": ways[Way.SIGNAL], "refused": len(refused)}
        counts["already"] = sum(one.already for one in decided)
        print_json({"decided": [one.model_dump(mode="json") for one in decided], **counts})
    else:
        _show(decided, order.kind)
    if refused:
        click.get_current_context().exit(1)


async def _decide(context: Context, order: BatchOrder) -> list[Decided]:
    settings, ids = context.settings(), order.chosen.request_ids
    return await decide(await context.client(), settings, ids, order.chosen.route, order.decision())


def _show(decided: Sequence[Decided], verb: str) -> None:
    for one in decided:
        if one.problem is not None:
            warn(f"{one.request_id}: {one.problem}")
        elif one.already:
            say(f"{one.request_id}: already decided by somebody else")
        elif one.way is Way.SIGNAL:
            say(f"{one.request_id}: {verb} sent as a signal, since no worker answered; the next worker takes it")
        else:
            say(f"{one.request_id}: {verb} taken")


# --- by filters -----------------------------------------------------------------------------------------------------


def _run_batch(context: Context, order: BatchOrder, answer: _Answer) -> None:
    run(_order(context, order, answer))
    if not answer.detach:
        warn(f"batch {order.name}: Ctrl-C leaves it running")
        run_attached(context, order.name, as_json=answer.as_json)
    elif answer.as_json:
        print_json({"batch": order.name})
    else:
        say(f"{order.name}: ordered; follow it with: orchestrator dead-letters batch attach {order.name}")


async def _order(context: Context, order: BatchOrder, answer: _Answer) -> None:
    services = context.settings().services
    if order.service is not None and order.service not in services:
        known = ", ".join(sorted(services))
        raise UnknownServiceError(f"There is no image service {order.service!r}; configured: {known}.")
    client = await context.client()
    total = (await find_dead_letters(client, order.chosen, 0)).total
    if not total:
        raise BatchRefusedError(f"no dead letter matches ({order.chosen.words()}): nothing was done")
    parked = (await client.count_workflows(LetterFilter().query())).count
    _agreed(order, total, parked, answer)
    await order_batch(client, order)
