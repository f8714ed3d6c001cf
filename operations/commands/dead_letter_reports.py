"""`dead-letters show`, `plan` and `export`: what is known, before anything is decided."""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import click

from contracts.dead_letter_orders import BatchOrder
from contracts.dead_letters import DeadLetter, LetterFilter
from operations.commands.decisions import make_order, redrive_options
from operations.commands.filters import chosen, filter_options
from operations.commands.requests import route_option
from operations.console import Context, json_option, print_facts, print_json, run, say, warn
from operations.dead_letter_batches import BatchRefusedError
from operations.dead_letter_facts import Facts, Payment, facts_of, facts_of_all, payments_of
from operations.dead_letter_outlook import outlook_of
from operations.dead_letter_plan import Plan, plan
from operations.dead_letters import find_dead_letters, suggested
from runtime.blobs import open_store
from runtime.redaction import redact
from starter.api.executions import DecisionRefusedError, RequestState, find_request

_NOT_KNOWN = "the image store cannot be read here"


# --- show -----------------------------------------------------------------------------------------------------------


@click.command("show")
@click.argument("request_id", metavar="ID")
@route_option
@json_option
@click.pass_obj
def show_letter(context: Context, *, request_id: str, route: str | None, as_json: bool) -> None:
    """Show why a request is parked, what was tried and paid, and what to do."""
    run(_show(context, request_id, route, as_json=as_json))


async def _show(context: Context, request_id: str, route: str | None, *, as_json: bool) -> None:
    client, settings = await context.client(), context.settings()
    state = await find_request(client, settings, request_id, route)
    if state.parked is None or not state.open:
        raise DecisionRefusedError(f"{request_id} is no dead letter: see it with: orchestrator status {request_id}")
    letter = _letter(state)
    facts = await facts_of(client, letter)
    advice = suggested(letter, tuple(settings.services))
    try:
        payments: list[Payment] | None = await payments_of(open_store(settings.store), letter, state.started)
    except OSError:
        payments = None
    if as_json:
        document = {**state.model_dump(mode="json"), **facts.model_dump(mode="json", exclude={"letter"})}
        paid = None if payments is None else [each.model_dump(mode="json") for each in payments]
        print_json({**document, "payments": paid, "remedy": advice})
    else:
        _show_facts(state, facts, payments, advice)


def _letter(state: RequestState) -> DeadLetter:
    parked = state.parked
    return DeadLetter(
        **state.model_dump(include={"request_id", "workflow_id", "run_id", "route", "service", "cause"}),
        code=state.failure_code,
        parking=parked.parking if parked else 0,
        step=parked.step if parked else None,
        since=parked.since if parked else None,
    )


def _show_facts(state: RequestState, facts: Facts, payments: list[Payment] | None, advice: str) -> None:
    letter, failure = facts.letter, facts.failure
    since = f"{letter.since:%Y-%m-%d %H:%M:%S} UTC" if letter.since else None
    print_facts(
        f"Dead letter {letter.request_id}",
        {
            "parked": f"number {letter.parking}, at step {letter.step}, since {since}",
            "route": letter.route,
            "service": letter.service,
            "started": f"{state.started:%Y-%m-%d %H:%M:%S} UTC",
            "cause": letter.cause,
            "Odoo sees": letter.code,
            "message": failure.message if failure else None,
            "HTTP status": failure.http_status if failure else None,
            "service's code": failure.provider_code if failure else None,
            "paid": "\n".join(map(_paid, payments)) or "nothing" if payments is not None else _NOT_KNOWN,
            "what to do": advice,
        },
    )
    _show_request(facts)
    say("\nTried")
    for one in facts.tried:
        say(f"  {one.activity} on {one.queue}: {one.attempts} attempt(s), {one.ended}")
        for depth, line in enumerate(one.failures):
            say(f"  {'  ' * depth}  because {line}")
    if facts.log is None:
        warn("no worker answered: the request is as Odoo sent it, and its log is not shown")
    else:
        say("\n".join(["", "What happened", *(f"  {line}" for line in facts.log)]))


def _show_request(facts: Facts) -> None:
    if facts.request is not None:
        fields = facts.request.model_dump(mode="json")
        say("")
        print_facts("Request", {name: value for name, value in fields.items() if value not in ({}, [])})


def _paid(payment: Payment) -> str:
    cost = f", {payment.cost}" if payment.cost else ""
    job = f", job {payment.job_id}" if payment.job_id else ""
    return f"{payment.begun:%Y-%m-%d %H:%M:%S} {payment.service}: {payment.standing}{cost}{job}"


# --- plan -----------------------------------------------------------------------------------------------------------


@click.command("plan")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@filter_options("--from-service")
@redrive_options
@click.option("--pace", type=float, metavar="R", help="Decisions a second.  [default: 10]")
@json_option
@click.pass_obj
def plan_batch(context: Context, /, *, as_json: bool, ids: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401 - the filters
    """Say what a redrive would mean: how many, cost and duration. Changes nothing; needs no worker."""
    filters = chosen(options, ids)
    order = make_order("redrive", filters, {**options, "by": "plan", "reason": "plan"})
    made = run(_plan(context, order))
    if as_json:
        print_json(made)
    else:
        _show_plan(made)


async def _plan(context: Context, order: BatchOrder) -> Plan:
    client, settings = await context.client(), context.settings()
    letters = await _found(context, order.chosen)
    return plan(letters, order, await outlook_of(client, settings, _recent()))


def _recent() -> tuple[date, date]:
    today = datetime.now(UTC).date()
    return today - timedelta(days=29), today


async def _found(context: Context, filters: LetterFilter) -> tuple[DeadLetter, ...]:
    """The letters that match; raises `BatchRefusedError` where none does."""
    letters = (await find_dead_letters(await context.client(), filters)).letters
    if not letters:
        raise BatchRefusedError(f"no dead letter matches ({filters.words()})")
    return letters


def _show_plan(made: Plan) -> None:
    cost = [f"about {amount.normalize():f} {currency}" for currency, amount in made.cost.items()]
    cost += [f"{made.unpriced} of unknown price"] if made.unpriced else []
    print_facts(
        f"Redrive of {made.total} dead letters",
        {
            "oldest": f"{made.oldest:%Y-%m-%d %H:%M} UTC" if made.oldest else None,
            "by service": ", ".join(f"{name} {count}" for name, count in made.services.items()),
            "by cause": ", ".join(f"{name} {count}" for name, count in made.causes.items()),
            "new payments": f"{made.payments} at most",
            "cost": " and ".join(cost) or "nothing",
            "duration": f"about {timedelta(seconds=round(made.duration_s))} (bound by: {made.bound_by})",
        },
    )
    for note in made.notes:
        warn(note)


# --- export ---------------------------------------------------------------------------------------------------------


@click.command("export")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@filter_options("--service")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write.  [default: stdout]")
@click.pass_obj
def export(context: Context, /, *, output: Path | None, ids: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401 - same
    """Write dead letters with their context as JSON Lines; secrets are hidden."""
    filters = chosen(options, ids)
    if output is None:
        run(_export(context, filters, sys.stdout))
        return
    part = output.with_name(f"{output.name}.part")
    with part.open("w", encoding="utf-8") as file:
        count = run(_export(context, filters, file))
    part.replace(output)
    say(f"{output}: {count} dead letters")


async def _export(context: Context, filters: LetterFilter, file: TextIO) -> int:
    letters = await _found(context, filters)
    async for facts in facts_of_all(await context.client(), letters):
        document = redact(facts.model_dump(mode="json"))
        file.write(json.dumps(document, ensure_ascii=False) + "\n")
    return len(letters)
