"""`store`: where the images are, and the sweep that deletes what nobody needs any more."""

from __future__ import annotations

import click

from contracts.retention import SweepReport
from operations.console import Context, json_option, print_facts, print_json, run, warn
from operations.store_sweeps import SweepError, SweepState, rehearse, sweep_now, sweep_state
from runtime.settings import Settings
from runtime.store_check import StoreUnusableError, usable_store
from runtime.store_settings import retention_s

_DAY_S = 86_400


@click.group()
def store() -> None:
    """The image store: its state, and what may go from it."""


@store.command()
@click.option("--dry-run", is_flag=True, help="Delete nothing; tell what would be deleted.")
@click.option("--now", is_flag=True, help="Sweep at once in place of at night.")
@json_option
@click.pass_obj
def sweep(context: Context, *, dry_run: bool, now: bool, as_json: bool) -> None:
    """Delete images and records that are older than store.retention_s and needed by nobody. A worker does it."""
    if dry_run == now:
        raise click.UsageError("say either --dry-run or --now")
    report = run(_sweep(context, dry_run=dry_run))
    if as_json:
        print_json(report)
    else:
        print_facts("Would be deleted" if dry_run else "Deleted", _counts(report))


async def _sweep(context: Context, *, dry_run: bool) -> SweepReport:
    client = await context.client()
    warn("a worker sweeps the store now; Ctrl-C leaves it at work")
    try:
        return await (rehearse(client) if dry_run else sweep_now(client))
    except SweepError as error:
        raise click.ClickException(str(error)) from None


@store.command()
@json_option
@click.pass_obj
def status(context: Context, *, as_json: bool) -> None:
    """Try the store out, and tell when it was swept and will be."""
    usable = run(_status(context, as_json=as_json))
    if not usable:
        raise click.exceptions.Exit(1)


async def _status(context: Context, *, as_json: bool) -> bool:
    settings = context.settings()
    problem = await _problem(settings)
    client = await context.client()
    try:
        sweeps, missing = await sweep_state(client), None
    except SweepError as error:
        sweeps, missing = None, str(error)
    if as_json:
        print_json(_document(settings, problem, sweeps))
    else:
        print_facts("Image store", _facts(settings, problem, sweeps) | {"sweeps": missing})
    return problem is None


async def _problem(settings: Settings) -> str | None:
    try:
        await usable_store(settings.store)
    except StoreUnusableError as error:
        return str(error).removeprefix("store: ")
    return None


def _document(settings: Settings, problem: str | None, sweeps: SweepState | None) -> dict[str, object]:
    return {
        "kind": settings.store.kind,
        "place": settings.store.place,
        "usable": problem is None,
        "problem": problem,
        "retention_s": retention_s(settings),
        "sweeps": sweeps.model_dump(mode="json") if sweeps else None,
    }


def _facts(settings: Settings, problem: str | None, sweeps: SweepState | None) -> dict[str, object]:
    facts: dict[str, object] = {
        "kind": settings.store.kind,
        "place": settings.store.place,
        "state": problem or "usable",
        "keeps images for": f"{retention_s(settings) / _DAY_S:.1f} days",
    }
    if sweeps is None:
        return facts
    facts["next sweep"] = "paused" if sweeps.paused else f"{sweeps.next:%Y-%m-%d %H:%M} UTC" if sweeps.next else None
    if sweeps.last is not None:
        facts["last sweep"] = f"{sweeps.last.started:%Y-%m-%d %H:%M} UTC, {sweeps.last.status}"
        facts |= _counts(sweeps.last.report, "deleted ") if sweeps.last.report else {}
    return facts


def _counts(report: SweepReport, verb: str = "") -> dict[str, object]:
    return {
        "images": f"{verb}{report.images_deleted} ({_size(report.bytes_deleted)}), "
        f"kept {report.images_kept} ({_size(report.bytes_kept)})",
        "requests": f"{verb}{report.requests_deleted}, kept {report.requests_kept}",
    }


def _size(count: int) -> str:
    return f"{count / 10**6:.1f} MB"
