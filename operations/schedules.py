"""What Temporal starts by the clock: a table, brought into the namespace by `bootstrap` and `up`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from contracts import names
from contracts.model import Frozen
from contracts.reconciliation import ReconcileOrder
from contracts.retention import SweepOrder
from runtime.settings import Settings

CATCH_UP = timedelta(hours=12)
"""How late a run may still start after Temporal was down."""


@dataclass(frozen=True, slots=True)
class Recurring:
    """A workflow that runs by the clock, never twice at once. The schedule has the workflow's name."""

    workflow: str
    order: Callable[[Settings], Frozen]
    """The input, from the settings."""
    every: timedelta
    offset: timedelta = timedelta(0)
    """From midnight UTC."""
    summary: str | None = None
    """What the Web UI says of each run."""


RECURRING: tuple[Recurring, ...] = (
    Recurring(
        names.RETENTION_WORKFLOW,
        lambda _: SweepOrder(),
        every=timedelta(days=1),
        offset=timedelta(hours=3, minutes=17),
    ),
)
"""The schedules that every installation has."""


def schedules_of(settings: Settings) -> tuple[Recurring, ...]:
    """Every schedule that these settings ask for."""
    able = [odoo for odoo in settings.odoos.values() if odoo.rpc is not None and odoo.reconcile.enabled]
    return (*RECURRING, _reconciliation(settings)) if able else RECURRING


def _reconciliation(settings: Settings) -> Recurring:
    return Recurring(
        names.RECONCILIATION_WORKFLOW,
        # What it does is read from the worker's settings at each run.
        lambda _: ReconcileOrder(),
        every=timedelta(minutes=settings.reconciliation.every_minutes),
        summary="compare Odoo with Temporal, by the clock",
    )


async def ensure_schedules(client: Client, settings: Settings) -> tuple[str, ...]:
    """Create the schedules, or bring them up to date; safe to repeat. A paused one stays paused. Raises `RPCError`.

    The reconciliation's goes where no Odoo can be asked any more. Returns the names of those that were created.
    """
    wanted = schedules_of(settings)
    if len(wanted) == len(RECURRING):
        await _forget(client, names.RECONCILIATION_WORKFLOW)
    return tuple([job.workflow for job in wanted if await _ensure(client, job, settings)])


async def _forget(client: Client, name: str) -> None:
    try:
        await client.get_schedule_handle(name).delete()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


async def _ensure(client: Client, job: Recurring, settings: Settings) -> bool:
    schedule = _schedule(job, settings)
    try:
        await client.create_schedule(job.workflow, schedule)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(job.workflow).update(lambda known: _updated(known, schedule))
        return False
    return True


def _schedule(job: Recurring, settings: Settings) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            job.workflow,
            job.order(settings),
            id=job.workflow,
            task_queue=names.WORKFLOW_QUEUE,
            static_summary=job.summary,
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=job.every, offset=job.offset)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
    )


def _updated(known: ScheduleUpdateInput, schedule: Schedule) -> ScheduleUpdate:
    schedule.state = known.description.schedule.state
    return ScheduleUpdate(schedule)
