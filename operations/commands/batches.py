"""`dead-letters batches` and `dead-letters batch`: following a batch, and changing its course."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from temporalio.client import Client

from contracts.dead_letter_batches import CANCEL, PAUSE, RESUME, BatchReport, Outcome, Phase
from contracts.dead_letter_orders import BatchCommand
from operations.commands.authors import author_options
from operations.console import (
    Context,
    err,
    json_option,
    plain,
    print_facts,
    print_json,
    print_table,
    run,
    say,
    stop_on_signals,
    warn,
)
from operations.dead_letter_batches import batch_report, batches, command_batch
from starter.api.executions import Way

INTERRUPTED = 130
_LOOK_S = 0.5
_SHOWN = 20


@click.command("batches")
@json_option
@click.pass_obj
def list_batches(context: Context, *, as_json: bool) -> None:
    """List batches, newest first; needs no worker."""
    found = run(_batches(context))
    if as_json:
        print_json({"batches": [one.model_dump(mode="json") for one in found]})
    elif not found:
        say("there is no batch")
    else:
        columns = ("name", "what", "standing", "decided", "settled", "failed", "by", "reason")
        print_table("Batches", columns, [_row(one) for one in found])


async def _batches(context: Context) -> list[BatchReport]:
    return [one async for one in batches(await context.client())]


def _row(one: BatchReport) -> tuple[object, ...]:
    decided = f"{one.decided} of {one.total}"
    return (one.name, one.kind, standing(one), decided, one.counts.succeeded, one.counts.failed, one.by, one.reason)


@click.group("batch")
def batch() -> None:
    """One batch of decisions, by its name."""


_name = click.argument("name", metavar="NAME")


@batch.command("show")
@_name
@json_option
@click.pass_obj
def show(context: Context, *, name: str, as_json: bool) -> None:
    """Show how a batch stands."""
    report, fresh = run(_report(context, name))
    if as_json:
        print_json(report)
        return
    show_report(report)
    if not fresh:
        warn("no worker answered: the numbers are those of the last change of phase")


async def _report(context: Context, name: str) -> tuple[BatchReport, bool]:
    return await batch_report(await context.client(), name)


@batch.command("attach")
@_name
@json_option
@click.pass_obj
def attach(context: Context, *, name: str, as_json: bool) -> None:
    """Follow a batch until it ends or pauses; Ctrl-C leaves it running."""
    run_attached(context, name, as_json=as_json)


@batch.command("pause")
@_name
@author_options
@click.pass_obj
def pause(context: Context, *, name: str, reason: str, by: str) -> None:
    """Decide no further for now; outcomes are still watched."""
    _send(context, name, PAUSE, BatchCommand(by=by, reason=reason))


@batch.command("resume")
@_name
@author_options
@click.pass_obj
def resume(context: Context, *, name: str, reason: str, by: str) -> None:
    """Go on; only failures from here on count for --stop-above."""
    _send(context, name, RESUME, BatchCommand(by=by, reason=reason))


@batch.command("cancel")
@_name
@author_options
@click.pass_obj
def cancel(context: Context, *, name: str, reason: str, by: str) -> None:
    """End a batch; what it has decided goes on by itself."""
    _send(context, name, CANCEL, BatchCommand(by=by, reason=reason))


def _send(context: Context, name: str, command: str, words: BatchCommand) -> None:
    way = run(_sent(context, name, command, words))
    later = " as a signal, since no worker answered; the next worker takes it" if way is Way.SIGNAL else ""
    say(f"{name}: {command} sent{later}")


async def _sent(context: Context, name: str, command: str, words: BatchCommand) -> Way:
    return await command_batch(await context.client(), name, command, words)


# --- following ------------------------------------------------------------------------------------------------------


def run_attached(context: Context, name: str, *, as_json: bool) -> None:
    """Follow a batch until it ends or pauses, or a person leaves it; ends the command with its exit code."""
    report = run(_attached(context, name))
    if report is None:
        warn(f"detached: {name} goes on by itself; follow it again with: orchestrator dead-letters batch attach {name}")
        click.get_current_context().exit(INTERRUPTED)
    if as_json:
        print_json(report)
    else:
        show_report(report)
    if not _well(report):
        click.get_current_context().exit(1)


async def _attached(context: Context, name: str) -> BatchReport | None:
    client, stop = await context.client(), stop_on_signals()
    bar = _Bar() if err.is_terminal else None
    with bar.progress if bar else nullcontext():
        return await _followed(client, name, stop, bar)


async def _followed(client: Client, name: str, stop: asyncio.Event, bar: _Bar | None) -> BatchReport | None:
    told: str | None = None
    while not stop.is_set():
        report, fresh = await batch_report(client, name)
        if report.phase is Phase.ENDED or report.paused:
            return report
        if bar is not None:
            bar.show(report, fresh=fresh)
        elif (now := standing(report)) != told:
            warn(f"{name}: {now}")
            told = now
        try:
            await asyncio.wait_for(stop.wait(), _LOOK_S)
        except TimeoutError:
            continue
    return None


class _Bar:
    """The progress bar: how many are decided, and below how many have settled."""

    def __init__(self) -> None:
        text = TextColumn("{task.description}", markup=False)
        self.progress = Progress(text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=err)
        self._decided = self.progress.add_task("decided", total=None)
        self._known = self.progress.add_task("outcomes", total=None)
        self._shown: BatchReport | None = None

    def show(self, report: BatchReport, *, fresh: bool) -> None:
        if not fresh and self._shown is not None:
            # What it said last is newer than what it noted.
            report = self._shown
        self._shown, counts = report, report.counts
        known = counts.succeeded + counts.failed + counts.ended
        where = standing(report) if fresh else "waits for a worker"
        self._set(self._decided, f"{report.kind}: {where}", report.decided, report.total)
        self._set(self._known, f"settled {counts.succeeded}, failed again {counts.failed}", known, counts.taken)

    def _set(self, task: TaskID, text: str, done: int, total: int) -> None:
        self.progress.update(task, description=plain(text), completed=done, total=total or None)


def standing(report: BatchReport) -> str:
    """Where a batch stands, in a few words."""
    if report.outcome is not None:
        return report.outcome
    return f"paused ({report.paused})" if report.paused else report.phase


def _well(report: BatchReport) -> bool:
    return report.outcome is Outcome.DONE and not report.counts.failed and not report.counts.refused


def show_report(report: BatchReport) -> None:
    """Print how a batch stands, the single requests it names, and what can be done."""
    counts = report.counts
    facts = {
        "standing": standing(report),
        "what": f"{report.kind} by {report.by}: {report.reason}",
        "chosen": report.chosen,
        "changes": ", ".join(f"{name} = {value}" for name, value in report.changes.items()) or None,
        "decided": f"{report.decided} of {report.total}",
        "taken": counts.taken,
        "settled": counts.succeeded or None,
        "failed again": _with_causes(counts.failed, report.failed_causes),
        "ended otherwise": counts.ended or None,
        "outcome not known yet": report.open or None,
        "already decided": counts.void or None,
        "not possible": report.invalid or None,
        "refused": counts.refused or None,
        "cancelled": report.cancelled,
        "audit": f"store: {report.audit}" if report.audit else None,
    }
    print_facts(f"Batch {report.name}", facts)
    for one in report.told[:_SHOWN]:
        warn(f"{one.request_id}: {one.said}")
    if line := _what_next(report):
        warn(line)


def _with_causes(count: int, causes: dict[str, int]) -> str | None:
    return f"{count} ({', '.join(f'{cause} {number}' for cause, number in causes.items())})" if count else None


def _what_next(report: BatchReport) -> str | None:
    if report.outcome is Outcome.REFUSED:
        reason = next(reversed([line for line in report.log or () if "refused:" in line]), "refused: see its log")
        hint = "; correct the order, or leave those out with --skip-invalid" if report.told else ""
        return f"nothing was decided: {reason.partition('refused: ')[2]}{hint}"
    if report.paused and report.outcome is None:
        line = f"orchestrator dead-letters batch resume {report.name}"
        return f"paused: {report.paused}; go on with: {line} (or cancel)"
    return None
