"""`replay`: proves that today's code can go on with requests that older code began."""

from __future__ import annotations

from pathlib import Path

import click

from operations.commands.tests import CHECKOUT
from operations.console import Context, json_option, print_json, run, say, warn
from operations.replaying import LIVE_QUERY, ReplayReport, history_files, replay_files, replay_live

RECORDED = CHECKOUT / "tests" / "histories"


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option("--live", is_flag=True, help="Replay the requests in the namespace instead of files.")
@click.option("--query", help=f"Visibility query for --live.  [default: {LIVE_QUERY}]")
@json_option
@click.pass_obj
def replay(context: Context, *, paths: tuple[Path, ...], live: bool, query: str | None, as_json: bool) -> None:
    """Replay recorded or live histories with production's converter and sandbox.

    Nothing found is a failure, except for --live without --query: then no open request is there to be broken.

    PATH is a JSON history or a directory of them.  [default: the recorded ones of the checkout]
    """
    if live and paths:
        raise click.UsageError("--live takes no paths")
    if query is not None and not live:
        raise click.UsageError("--query goes with --live")
    report = run(_live(context, query or LIVE_QUERY) if live else replay_files(_files(paths)))
    _show(report, as_json=as_json)
    may_be_none = live and query is None
    if report.failures or not (report.results or may_be_none):
        click.get_current_context().exit(1)


async def _live(context: Context, query: str) -> ReplayReport:
    return await replay_live(await context.client(), query)


def _files(paths: tuple[Path, ...]) -> list[Path]:
    if not paths and not RECORDED.is_dir():
        raise click.UsageError(f"there are no recorded histories in {RECORDED}: name files, or use --live")
    return history_files(paths or (RECORDED,))


def _show(report: ReplayReport, *, as_json: bool) -> None:
    failures = {failure.source: failure.problem for failure in report.failures}
    count = len(report.results)
    if as_json:
        print_json({"histories": count, "failed": len(failures), "failures": failures, "passed": report.passed})
        return
    for source, problem in failures.items():
        warn(f"{source}: {problem}")
    if not count:
        warn("there is nothing to replay: no history was found")
    else:
        say(f"{count - len(failures)} of {count} histories replayed")
