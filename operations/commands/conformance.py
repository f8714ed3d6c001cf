"""`conformance`: replays the recorded answers of a real n8n against a server."""

from __future__ import annotations

from fnmatch import fnmatchcase

import click

from operations.conformance.cases import Case, load_cases
from operations.conformance.comparing import TABLE, Deviation, load_deviations
from operations.conformance.running import Verdict, replay
from operations.conformance.wire import Server, WireError
from operations.console import json_option, print_json, run, say, warn


@click.command()
@click.option("--base-url", required=True, metavar="URL", help="The server, as http://127.0.0.1:5678.")
@click.option("--ours", is_flag=True, help="The server is one of ours: deviations in docs/n8n-compatibility.md count.")
@click.option("--case", "pattern", default="*", metavar="PATTERN", help="Only these cases, as 'auth/*'.")
@json_option
def conformance(*, base_url: str, ours: bool, pattern: str, as_json: bool) -> None:
    """Replay the recorded answers of a real n8n against a server that has the recorded webhooks.

    Exit code 1 if an answer differs. docs/n8n-compatibility.md says how to give a server those webhooks.
    """
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
