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

from contracts import names
from contracts.model import Frozen
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


RECURRING: tuple[Recurring, ...] = (
    Recurring(
        names.RETENTION_WORKFLOW,
        lambda _: SweepOrder(),
        every=timedelta(days=1),
        offset=timedelta(hours=3, minutes=17),
    ),
)
"""Every schedule."""


async def ensure_schedules(client: Client, settings: Settings) -> tuple[str, ...]:
    """Create the schedules, or bring them up to date; safe to repeat. A paused one stays paused. Raises `RPCError`.

    Returns the names of those that were created.
    """
    return tuple([job.workflow for job in RECURRING if await _ensure(client, job, settings)])


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
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=job.every, offset=job.offset)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
    )


def _updated(known: ScheduleUpdateInput, schedule: Schedule) -> ScheduleUpdate:
    schedule.state = known.description.schedule.state
    return ScheduleUpdate(schedule)
