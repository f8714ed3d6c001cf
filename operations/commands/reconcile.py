"""`reconcile`: compare every Odoo with what Temporal knows, see what differs, and have it repaired."""

from __future__ import annotations

import re
import uuid
from typing import Any

import click
from temporalio.client import Client, WorkflowFailureError

from contracts import names
from contracts.reconciliation import Kind, OdooReport, ReconcileOrder, ReconcileReport, Result
from operations.console import Context, json_option, print_json, print_table, run, say, warn

FINDINGS_LEFT = 3
"""Exit code."""
_COLUMNS = ("finding", "count", "repaired", "examples")
_EXAMPLES = 3
_UNITS = {"m": 60.0, "h": 3600.0, "d": 86_400.0}
_SPAN = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([mhd])")


def _seconds(_context: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    span = _SPAN.fullmatch(value)
    if span is None or not float(span[1]):
        raise click.BadParameter("needs a number of minutes, hours or days, as 90m, 24h or 7d")
    return float(span[1]) * _UNITS[span[2]]


@click.command()
@click.option("--odoo", "odoos", multiple=True, metavar="NAME", help="Only this Odoo; may be given several times.")
@click.option(
    "--since", callback=_seconds, metavar="SPAN", help="How far back, as 90m, 24h or 7d. [reconcile.window_hours]"
)
@click.option("--repair", is_flag=True, help="Repair what is found, also what the schedule leaves to people.")
@click.option("--last", is_flag=True, help="Show the latest run that has ended, in place of a new one.")
@json_option
@click.pass_obj
def reconcile(  # noqa: PLR0913 - click hands over each option
    context: Context, /, *, odoos: tuple[str, ...], since: float | None, repair: bool, last: bool, as_json: bool
) -> None:
    """Compare what Odoo asked for with what was started, delivered and attached.

    Needs a worker. Exit code 0: both sides agree, or everything was repaired; 3: findings are left; 1: a side could
    not be asked.
    """
    if last and (odoos or since is not None or repair):
        raise click.UsageError("--last shows a run of before: it goes with no other option but --json")
    order = ReconcileOrder(odoos=odoos, since_s=since, repair=repair, by="orchestrator reconcile")
    report = run(_last(context) if last else _reconcile(context, order))
    if as_json:
        print_json(document(report))
    else:
        _show(report, repair=repair)
    if any(each.problem for each in report.odoos):
        raise click.exceptions.Exit(1)
    if report.left:
        raise click.exceptions.Exit(FINDINGS_LEFT)


async def _reconcile(context: Context, order: ReconcileOrder) -> ReconcileReport:
    client = await context.client()
    name = f"{names.RECONCILIATION_WORKFLOW}-{uuid.uuid4()}"
    await client.start_workflow(
        names.RECONCILIATION_WORKFLOW,
        order,
        id=name,
        task_queue=names.WORKFLOW_QUEUE,
        static_summary="repair, by order" if order.repair else "compare, by order",
    )
    warn("a worker compares both sides now; Ctrl-C leaves it at work")
    return await _report(client, name)


async def _last(context: Context) -> ReconcileReport:
    client = await context.client()
    query = f'WorkflowType = "{names.RECONCILIATION_WORKFLOW}" AND ExecutionStatus != "Running"'
    async for found in client.list_workflows(query, limit=1):
        warn(f"{found.id}, begun {found.start_time:%Y-%m-%d %H:%M} UTC")
        return await _report(client, found.id, found.run_id)
    raise click.ClickException("nothing was reconciled yet: orchestrator reconcile does it")


async def _report(client: Client, name: str, run_id: str | None = None) -> ReconcileReport:
    handle = client.get_workflow_handle(name, run_id=run_id, result_type=ReconcileReport)
    try:
        report: ReconcileReport = await handle.result()
    except WorkflowFailureError as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise click.ClickException(f"the reconciliation failed: {getattr(cause, 'message', cause)}") from None
    return report


def document(report: ReconcileReport) -> dict[str, Any]:
    """The report as one JSON document."""
    odoos = [
        {
            **each.model_dump(mode="json"),
            "repaired": {kind.value: n for kind, n in each.repaired.items()},
            "left": each.left,
        }
        for each in report.odoos
    ]
    return {"outcome": report.outcome, "counts": report.counts(), "odoos": odoos}


def _show(report: ReconcileReport, *, repair: bool) -> None:
    if not report.odoos:
        say("nothing to compare: no Odoo has rpc (docs/reconciliation.md)")
    for each in report.odoos:
        _show_odoo(each)
    if report.left and not repair:
        say(f"\n{report.left} left: look at them, then: orchestrator reconcile --repair")


def _show_odoo(report: OdooReport) -> None:
    if report.problem:
        warn(f"{report.odoo}: not compared: {report.problem}")
        return
    comparison = report.comparison
    title = f"Odoo {report.odoo}: {comparison.asked} requests there, {comparison.handled} in Temporal"
    if comparison.counts:
        print_table(title, _COLUMNS, [_row(report, kind) for kind in Kind if kind in comparison.counts])
    else:
        say(f"{title}: both sides agree")
    for note in comparison.notes:
        say(note)
    for result in report.results:
        say(f"{result.finding.request_id}: {_told(result)}")
    if comparison.report:
        say(f"all findings: {comparison.report} in the store")


def _row(report: OdooReport, kind: Kind) -> tuple[object, ...]:
    named = [result.finding.request_id for result in report.results if result.finding.kind is kind]
    return (kind.value, report.comparison.counts[kind], report.repaired.get(kind, 0), ", ".join(named[:_EXAMPLES]))


def _told(result: Result) -> str:
    finding = result.finding
    if result.said is not None:
        return f"{finding.detail} {result.said}"
    return f"{finding.detail} {f'Repair: {finding.repair}.' if finding.repair else 'Only a person can repair it.'}"
