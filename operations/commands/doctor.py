"""`doctor`: looks at everything that an installation needs."""

from __future__ import annotations

import click

from operations.console import Context, json_option, print_json, run, say
from operations.doctor.finding import Finding, Level, is_healthy
from operations.doctor.registry import CHECKS, examine_all

_NAMES = [check.name for check in CHECKS]


@click.command()
@click.argument("checks", metavar="[CHECK]...", nargs=-1, type=click.Choice(_NAMES))
@click.option("--strict", is_flag=True, help="Warnings count as problems too.")
@json_option
@click.pass_obj
def doctor(context: Context, checks: tuple[str, ...], *, strict: bool, as_json: bool) -> None:
    """Look at Temporal, services, Odoos, store, clock, certificates and alerts; pay, send and change nothing.

    One line each: ok, warn or fail, and what to do. Exit code: 0 all is well, 1 something failed.
    """
    findings = run(examine_all(context.settings(), checks))
    healthy = is_healthy(findings, strict=strict)
    if as_json:
        print_json({"healthy": healthy, "findings": [_document(finding) for finding in findings]})
    else:
        for finding in findings:
            say(_line(finding))
        say(_summary(findings))
    raise click.exceptions.Exit(0 if healthy else 1)


def _line(finding: Finding) -> str:
    return f"{finding.level:<5} {finding.subject}: {finding.fact}{f' - {finding.remedy}' if finding.remedy else ''}"


def _summary(findings: list[Finding]) -> str:
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    return f"{counts[Level.OK]} ok, {counts[Level.WARN]} warnings, {counts[Level.FAIL]} failures"


def _document(finding: Finding) -> dict[str, object]:
    return {
        "level": str(finding.level),
        "subject": finding.subject,
        "fact": finding.fact,
        "remedy": finding.remedy or None,
    }
