"""`conformance`: replays the recorded answers of a real n8n against a server."""

from __future__ import annotations

import shlex
from fnmatch import fnmatchcase
from pathlib import Path

import click

from operations.conformance.cases import Case, load_cases
from operations.conformance.deviations import TABLE, Deviation, load_deviations
from operations.conformance.running import Verdict, replay
from operations.conformance.site import write_site
from operations.conformance.wire import Server, WireError
from operations.console import json_option, print_json, run, say, warn


@click.command()
@click.option("--base-url", metavar="URL", help="The server, as http://127.0.0.1:5678.")
@click.option("--ours", is_flag=True, help="The server is one of ours: deviations in docs/n8n-compatibility.md count.")
@click.option("--case", "pattern", default="*", metavar="PATTERN", help="Only these cases, as 'auth/*'.")
@click.option(
    "--write-config",
    "site",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write a configuration with the recorded webhooks for a starter of ours, and do nothing else.",
)
@json_option
def conformance(*, base_url: str | None, ours: bool, pattern: str, site: Path | None, as_json: bool) -> None:
    """Replay the recorded answers of a real n8n against a server that has the recorded webhooks.

    Exit code 1 if an answer differs. docs/n8n-compatibility.md says how to give a server those webhooks.
    """
    if (base_url is None) == (site is None):
        raise click.UsageError("give either --base-url or --write-config")
    if site is not None:
        _write(site, as_json=as_json)
    if base_url is not None:
        _replay(base_url, pattern, ours=ours, as_json=as_json)


def _write(site: Path, *, as_json: bool) -> None:
    try:
        config = write_site(site)
    except FileExistsError as error:
        raise click.UsageError(f"{error.filename} is there already: name another directory") from None
    except OSError as error:
        raise click.UsageError(f"{error.filename} cannot be written: {error.strerror}") from None
    if as_json:
        print_json({"configuration": str(config)})
    else:
        say(f"orchestrator --config {shlex.quote(str(config))} up")


def _replay(base_url: str, pattern: str, *, ours: bool, as_json: bool) -> None:
    try:
        server = Server.at(base_url)
    except WireError as error:
        raise click.UsageError(str(error)) from None
    cases = [case for case in load_cases() if fnmatchcase(case.name, pattern)]
    if not cases:
        raise click.UsageError(f"no case matches {pattern!r}")
    verdicts = run(_verdicts(server, cases, _deviations() if ours else []))
    _show(verdicts, as_json=as_json)
    if any(verdict.problems for verdict in verdicts):
        click.get_current_context().exit(1)


def _deviations() -> list[Deviation]:
    if not TABLE.is_file():
        raise click.UsageError(f"--ours needs the table in {TABLE}: run it in a checkout")
    return load_deviations()


async def _verdicts(server: Server, cases: list[Case], deviations: list[Deviation]) -> list[Verdict]:
    return [verdict async for verdict in replay(server, cases, deviations)]


def _show(verdicts: list[Verdict], *, as_json: bool) -> None:
    failed = {verdict.case: list(verdict.problems) for verdict in verdicts if verdict.problems}
    deviating = {verdict.case: verdict.deviates for verdict in verdicts if verdict.deviates and not verdict.problems}
    if as_json:
        counts = {"cases": len(verdicts), "failed": len(failed)}
        print_json({**counts, "problems": failed, "deviations": deviating, "passed": not failed})
        return
    for case, problems in failed.items():
        for problem in problems:
            warn(f"{case}: {problem}")
    meant = f", {len(deviating)} of them as the table of deviations says" if deviating else ""
    say(f"{len(verdicts) - len(failed)} of {len(verdicts)} cases answered as recorded{meant}")
