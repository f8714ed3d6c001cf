"""Sweeps of the store, asked for and looked back at."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from datetime import datetime

from temporalio.client import (
    Client,
    ScheduleActionExecution,
    ScheduleActionExecutionStartWorkflow,
    ScheduleDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
)
from temporalio.service import RPCError, RPCStatusCode

from contracts import names
from contracts.model import Frozen
from contracts.retention import SweepOrder, SweepReport

STARTED_S = 10.0
"""Seconds Temporal has to start a sweep that was asked for."""
_POLL_S = 0.2


class SweepError(Exception):
    """The sweep cannot be started, or failed. The message is one line that says what to do."""


class LastSweep(Frozen):
    """The latest sweep that the schedule started."""

    started: datetime
    ended: datetime | None = None
    status: str
    report: SweepReport | None = None


class SweepState(Frozen):
    """What the schedule says."""

    paused: bool
    next: datetime | None = None
    last: LastSweep | None = None


async def rehearse(client: Client) -> SweepReport:
    """A dry run, beside whatever else runs; raises `SweepError`."""
    handle = await client.start_workflow(
        names.RETENTION_WORKFLOW,
        SweepOrder(dry_run=True),
        id=f"{names.RETENTION_WORKFLOW}-dry-run-{uuid.uuid4()}",
        task_queue=names.WORKFLOW_QUEUE,
    )
    return await _report(client, handle.id)


async def sweep_now(client: Client) -> SweepReport:
    """Have the schedule start a sweep, and wait for it; joins the one that runs already. Raises `SweepError`."""
    before = await _described(client)
    run = next(iter(_runs(before.info.running_actions)), None)
    if run is None:
        await client.get_schedule_handle(names.RETENTION_WORKFLOW).trigger()
        run = await _next_run(client, before)
    return await _report(client, *run)


async def sweep_state(client: Client) -> SweepState:
    """When sweeps ran and will; raises `SweepError` without a schedule."""
    described = await _described(client)
    run = next(iter(_runs([*described.info.running_actions, *_latest(described)])), None)
    return SweepState(
        paused=described.schedule.state.paused,
        next=next(iter(described.info.next_action_times), None),
        last=await _looked_back(client, *run) if run else None,
    )


async def _looked_back(client: Client, workflow: str, run_id: str) -> LastSweep | None:
    """None where Temporal does not remember it any more."""
    try:
        run = await client.get_workflow_handle(workflow, run_id=run_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    done = run.status is WorkflowExecutionStatus.COMPLETED
    report = await _report(client, workflow, run_id) if done else None
    status = run.status.name.lower() if run.status else "unknown"
    return LastSweep(started=run.start_time, ended=run.close_time, status=status, report=report)


async def _described(client: Client) -> ScheduleDescription:
    try:
        return await client.get_schedule_handle(names.RETENTION_WORKFLOW).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            message = f"the namespace {client.namespace} has no schedule for it: run `orchestrator bootstrap` once"
            raise SweepError(message) from None
        raise


async def _next_run(client: Client, before: ScheduleDescription) -> tuple[str, str]:
    """The sweep that was started since."""
    known = _all_runs(before)
    try:
        async with asyncio.timeout(STARTED_S):
            while True:
                new = _all_runs(await _described(client)) - known
                if new:
                    return new.pop()
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        message = f"Temporal has not started the sweep within {STARTED_S:.0f} s: look at its schedules"
        raise SweepError(message) from None


def _all_runs(described: ScheduleDescription) -> set[tuple[str, str]]:
    return set(_runs([*described.info.running_actions, *_latest(described)]))


def _latest(described: ScheduleDescription) -> list[ScheduleActionExecution]:
    """What the schedule has started, latest first."""
    return [result.action for result in reversed(described.info.recent_actions)]


def _runs(actions: Iterable[ScheduleActionExecution]) -> list[tuple[str, str]]:
    """Workflow and run ids."""
    started = [action for action in actions if isinstance(action, ScheduleActionExecutionStartWorkflow)]
    return [(action.workflow_id, action.first_execution_run_id) for action in started]


async def _report(client: Client, workflow: str, run_id: str | None = None) -> SweepReport:
    handle = client.get_workflow_handle(workflow, run_id=run_id, result_type=SweepReport)
    try:
        report: SweepReport = await handle.result()
    except WorkflowFailureError as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise SweepError(f"the sweep failed: {cause}") from None
    return report
