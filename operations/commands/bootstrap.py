"""`bootstrap`: prepares a Temporal namespace."""

from __future__ import annotations

from collections.abc import AsyncIterator

import click
from temporalio.client import Client

from contracts import search_attributes
from contracts.names import account_id, callbacks_queue
from operations.console import Context, json_option, print_json, run, say
from operations.queue_limits import prepare_limits
from operations.schedules import prepare_schedules, schedules_of
from runtime.bootstrap import RETENTION_DAYS, Change, Prepared, prepare
from runtime.settings import Settings

_SAID = {Change.MADE: "would be made", Change.CHANGED: "would be changed"}
"""What a rehearsal says."""


@click.command()
@click.option("--dry-run", is_flag=True, help="Change nothing; tell what would be made and changed.")
@json_option
@click.pass_obj
def bootstrap(context: Context, *, dry_run: bool, as_json: bool) -> None:
    """Make the namespace, its search attributes, limits and schedules; keep closed requests for 30 days.

    Safe to repeat, on any cluster. What operators have paused or set live stays as it is.
    """
    run(_bootstrap(context, dry_run=dry_run, as_json=as_json))


async def _bootstrap(context: Context, *, dry_run: bool, as_json: bool) -> None:
    settings = context.settings()
    client = await context.client()
    steps = []
    async for step in _steps(client, settings, dry_run=dry_run):
        steps.append(step)
        if not as_json:
            say(_line(step, dry_run=dry_run))
    if as_json:
        print_json(_document(client, settings, steps, dry_run=dry_run))


async def _steps(client: Client, settings: Settings, *, dry_run: bool) -> AsyncIterator[Prepared]:
    new = False
    async for step in prepare(client, rehearse=dry_run):
        new = new or (step.thing == "namespace" and step.change is Change.MADE)
        yield step
    if new and dry_run:
        # Nothing can be asked of a namespace that is not there.
        limited = [callbacks_queue(name) for name, odoo in settings.odoos.items() if odoo.rate_per_second]
        for name in (*map(account_id, settings.services), *limited):
            yield Prepared("limit", name, Change.MADE)
        for job in schedules_of(settings):
            yield Prepared("schedule", job.workflow, Change.MADE)
        return
    async for step in prepare_limits(client, settings, rehearse=dry_run):
        yield step
    async for step in prepare_schedules(client, settings, rehearse=dry_run):
        yield step


def _line(step: Prepared, *, dry_run: bool) -> str:
    change = _SAID.get(step.change, step.change) if dry_run else step.change
    return f"{step.thing} {step.name}: {change}{f' ({step.detail})' if step.detail else ''}"


def _document(client: Client, settings: Settings, steps: list[Prepared], *, dry_run: bool) -> dict[str, object]:
    def made(thing: str) -> list[str]:
        return [step.name for step in steps if step.thing == thing and step.change is Change.MADE]

    return {
        "namespace": client.namespace,
        "dry_run": dry_run,
        "registered": made("search attribute"),
        "search_attributes": [key.name for key in search_attributes.ALL],
        "retention_days": RETENTION_DAYS,
        "schedules": [job.workflow for job in schedules_of(settings)],
        "schedules_created": made("schedule"),
        "steps": [
            {"thing": step.thing, "name": step.name, "change": str(step.change), "detail": step.detail or None}
            for step in steps
        ],
    }
