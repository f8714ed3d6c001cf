"""`bootstrap`: prepares a Temporal namespace."""

from __future__ import annotations

from datetime import timedelta

import click

from contracts import search_attributes
from operations.console import Context, json_option, print_json, run, say
from operations.schedules import ensure_schedules, schedules_of
from runtime.bootstrap import RETENTION_DAYS
from runtime.bootstrap import bootstrap as prepare


@click.command()
@json_option
@click.pass_obj
def bootstrap(context: Context, *, as_json: bool) -> None:
    """Register the search attributes and schedules, and keep closed requests for 30 days. Safe to repeat."""
    run(_bootstrap(context, as_json=as_json))


async def _bootstrap(context: Context, *, as_json: bool) -> None:
    settings = context.settings()
    client = await context.client()
    registered = await prepare(client)
    created = await ensure_schedules(client, settings)
    if as_json:
        print_json(
            {
                "namespace": client.namespace,
                "registered": list(registered),
                "search_attributes": [key.name for key in search_attributes.ALL],
                "retention_days": RETENTION_DAYS,
                "schedules": [job.workflow for job in schedules_of(settings)],
                "schedules_created": list(created),
            }
        )
        return
    news = f"registered {', '.join(registered)}" if registered else "all search attributes were there"
    say(f"namespace {client.namespace}: {news}; closed requests are kept for at least {RETENTION_DAYS} days")
    for job in schedules_of(settings):
        made = "made" if job.workflow in created else "was there, brought up to date"
        say(f"schedule {job.workflow}, every {_interval(job.every)}: {made}")


def _interval(every: timedelta) -> str:
    minutes = int(every.total_seconds()) // 60
    return f"{minutes} min" if minutes % 60 else f"{minutes // 60} h"
