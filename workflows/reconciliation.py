"""The workflow `reconciliation`: compares every Odoo with what Temporal knows, and repairs what differs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy, SearchAttributeUpdate
from temporalio.exceptions import ActivityError, is_cancelled_exception

from contracts import names, search_attributes
from contracts.reconciliation import (
    Comparison,
    Finding,
    Kind,
    OdooReport,
    ReconcileOrder,
    ReconcilePlan,
    ReconcileReport,
    ReconcileTask,
    Repaired,
    RepairOrder,
    Result,
)
from contracts.requests import DeliverInput, DeliveryReceipt

LONGEST = timedelta(minutes=30)
"""For the comparison of one Odoo, all attempts together."""
REPAIR_S = timedelta(minutes=5)
DELIVERY_S = timedelta(minutes=10)
"""For one delivery: longer than its own deadline, and an end where no worker serves that Odoo."""
_FEW = RetryPolicy(initial_interval=timedelta(seconds=2), maximum_attempts=3)
_SHOWN = 10

_SENTENCES = {
    Kind.NEVER_STARTED: "asked, but never started",
    Kind.NEVER_DELIVERED: "started, but never delivered",
    Kind.NOT_ATTACHED: "delivered, but not attached",
    Kind.TWICE: "delivered twice",
}


@workflow.defn(name=names.RECONCILIATION_WORKFLOW)
class ReconciliationWorkflow:
    """Plan, compare, repair, report: one Odoo after the other. An Odoo that cannot be asked stops no other."""

    def __init__(self) -> None:
        self._reports: list[OdooReport] = []

    @workflow.run
    async def run(self, order: ReconcileOrder) -> ReconcileReport:
        """Reconcile once; raises `ActivityError` where the order names an Odoo that cannot be asked."""
        plan = await _plan(order)
        if len(plan.tasks) == 1:
            database = search_attributes.keyword(plan.tasks[0].database)
            workflow.upsert_search_attributes([search_attributes.ODOO_DATABASE.value_set(database)])
        for task in plan.tasks:
            self._show(f"Comparing with Odoo `{task.odoo}`.")
            self._reports.append(await _reconciled(task))
        report = ReconcileReport(odoos=tuple(self._reports))
        self._settle(report)
        return report

    def _settle(self, report: ReconcileReport) -> None:
        updates: list[SearchAttributeUpdate[Any]] = [search_attributes.OUTCOME.value_set(report.outcome)]
        workflow.upsert_search_attributes(updates)
        workflow.upsert_memo({names.MEMO_RECONCILIATION: report.counts()})
        self._show("Done." if self._reports else "No Odoo has `rpc`: there is nothing to compare.")

    def _show(self, headline: str) -> None:
        workflow.set_current_details("\n\n".join([headline, *map(_told, self._reports)]))


async def _plan(order: ReconcileOrder) -> ReconcilePlan:
    plan: ReconcilePlan = await workflow.execute_activity(
        names.PLAN_RECONCILIATION,
        order,
        result_type=ReconcilePlan,
        task_queue=names.MAINTENANCE_QUEUE,
        schedule_to_close_timeout=LONGEST,
        start_to_close_timeout=timedelta(seconds=30),
        summary="which Odoos, how far back",
    )
    return plan


async def _reconciled(task: ReconcileTask) -> OdooReport:
    try:
        comparison: Comparison = await workflow.execute_activity(
            names.COMPARE_WITH_ODOO,
            task,
            result_type=Comparison,
            task_queue=names.MAINTENANCE_QUEUE,
            schedule_to_close_timeout=LONGEST,
            heartbeat_timeout=timedelta(minutes=3),
            retry_policy=_FEW,
            summary=f"compare with Odoo {task.odoo}",
        )
    except ActivityError as error:
        return OdooReport(odoo=task.odoo, database=task.database, problem=_reason(error))
    left, results = task.repairs if task.repair else 0, []
    for finding in comparison.findings:
        wanted = finding.repair is not None and (task.ordered or not finding.ordered_only)
        results.append(await _repaired(task, finding) if wanted and left > 0 else Result(finding=finding))
        left -= wanted
    return OdooReport(odoo=task.odoo, database=task.database, comparison=comparison, results=tuple(results))


async def _repaired(task: ReconcileTask, finding: Finding) -> Result:
    try:
        repaired: Repaired = await workflow.execute_activity(
            names.REPAIR_FINDING,
            RepairOrder(task=task, finding=finding),
            result_type=Repaired,
            task_queue=names.MAINTENANCE_QUEUE,
            start_to_close_timeout=REPAIR_S,
            schedule_to_close_timeout=LONGEST,
            retry_policy=_FEW,
            summary=f"{finding.repair}: {finding.kind}",
        )
        if repaired.letter is not None:
            await _deliver(repaired.letter)
    except ActivityError as error:
        return Result(finding=finding, said=_reason(error))
    return Result(finding=finding, repaired=repaired.done, said=repaired.said)


async def _deliver(letter: DeliverInput) -> None:
    """On the Odoo's own queue, so that its rate limit counts."""
    await workflow.execute_activity(
        names.DELIVER,
        letter,
        result_type=DeliveryReceipt,
        task_queue=names.callbacks_queue(letter.odoo),
        schedule_to_close_timeout=DELIVERY_S,
        start_to_close_timeout=REPAIR_S,
        heartbeat_timeout=timedelta(seconds=letter.policy.heartbeat_s),
        summary=f"post the outcome again to Odoo {letter.odoo}",
    )


def _reason(error: ActivityError) -> str:
    if is_cancelled_exception(error):
        raise error
    return str(getattr(error.cause, "message", None) or error.cause or error)


def _told(report: OdooReport) -> str:
    """What an operator reads about one Odoo, in Markdown; text from outside stays in quotes."""
    title = f"### Odoo `{report.odoo}`"
    if report.problem:
        return f"{title}\n**Not compared**: `{_quoted(report.problem)}`"
    comparison = report.comparison
    lines = [title, f"- compared {comparison.asked} requests of Odoo with {comparison.handled} of Temporal"]
    for kind, count in comparison.counts.items():
        lines.append(f"- **{count} {_SENTENCES[kind]}**, {report.repaired.get(kind, 0)} repaired")
    lines += [] if comparison.counts else ["- both sides agree"]
    lines += [f"- {note}" for note in comparison.notes]
    lines += [f"- `{_quoted(one.finding.request_id)}`: {_said(one)}" for one in report.results[:_SHOWN]]
    return "\n".join(lines)


def _said(result: Result) -> str:
    said = f" {result.said}" if result.said else ""
    return f"`{_quoted(result.finding.detail + said)}`"


def _quoted(text: str) -> str:
    return text.replace("`", "'")
