"""`replay`: proves that today's code can go on with requests that older code began."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from operations.commands.tests import CHECKOUT
from operations.console import Context, json_option, print_json, print_table, run, say, warn
from operations.replaying import RECENT, Replayed, ReplayReport, history_files, replay_files, replay_live
from runtime.codec import KeyRing
from runtime.codec_conversion import data_converter

RECORDED = CHECKOUT / "tests" / "histories"
_LESSON = "do not deploy: put the change of the workflow under workflow.patched (docs/replay.md)"


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option("--live", is_flag=True, help="Replay what is in the namespace instead of files: the gate of a deploy.")
@click.option("--query", help=f"Visibility query for --live.  [default: all open, the last {RECENT} ended]")
@click.option("--limit", type=click.IntRange(min=1), help="Replay so many at most.  [default: no limit]")
@json_option
@click.pass_obj
def replay(  # noqa: PLR0913 - one per option
    context: Context, *, paths: tuple[Path, ...], live: bool, query: str | None, limit: int | None, as_json: bool
) -> None:
    """Replay recorded or live histories with production's converter and sandbox. Changes nothing.

    Exits with 1 where one cannot be replayed, and where nothing was found: that proves nothing. Only --live without
    --query may find none.

    PATH is a JSON history or a directory of them.  [default: the recorded ones of the checkout]
    """
    if live and paths:
        raise click.UsageError("--live takes no paths")
    for name, given in {"--query": query, "--limit": limit}.items():
        if given is not None and not live:
            raise click.UsageError(f"{name} goes with --live")
    report = run(_live(context, query, limit) if live else _recorded(context, paths))
    _show(report, live=live, as_json=as_json)
    may_be_none = live and query is None
    if report.failures or not (report.results or may_be_none):
        click.get_current_context().exit(1)


async def _live(context: Context, query: str | None, limit: int | None) -> ReplayReport:
    return await replay_live(await context.client(), query, limit=limit)


async def _recorded(context: Context, paths: tuple[Path, ...]) -> ReplayReport:
    return await replay_files(_files(paths), converter=data_converter(KeyRing.of(context.settings().encryption)))


def _files(paths: tuple[Path, ...]) -> list[Path]:
    if not paths and not RECORDED.is_dir():
        raise click.UsageError(f"there are no recorded histories in {RECORDED}: name files, or use --live")
    return history_files(paths or (RECORDED,))


def _show(report: ReplayReport, *, live: bool, as_json: bool) -> None:
    failures = {failure.source: failure.problem for failure in report.failures}
    count = len(report.results)
    if as_json:
        counted = {"histories": count, "failed": len(failures), "failures": failures, "passed": report.passed}
        print_json({**counted, "workflows": _by_workflow(report)} if live else counted)
        return
    if live and count:
        rows = [(name, *counts.values()) for name, counts in _by_workflow(report).items()]
        print_table("Replayed with the code of this version", ("Workflow", "Open", "Ended", "Cannot go on"), rows)
    for source, problem in failures.items():
        warn(f"{source}: {problem}")
    if live and failures:
        warn(_LESSON)
    if not count:
        warn("there is nothing to replay: no history was found")
    else:
        say(f"{count - len(failures)} of {count} histories replayed")


def _by_workflow(report: ReplayReport) -> dict[str, dict[str, int]]:
    counted = Counter((one.workflow or "", word) for one in report.results for word in _words(one))
    return {
        name: {word: counted[name, word] for word in ("open", "ended", "failed")}
        for name in sorted({name for name, _ in counted})
    }


def _words(one: Replayed) -> tuple[str, ...]:
    return ("open" if one.is_open else "ended", *(("failed",) if one.problem else ()))
