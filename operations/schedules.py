"""What Temporal starts by the clock: a table, brought into the namespace by `bootstrap` and `up`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta

from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleDescription,
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
from runtime.bootstrap import Change, Prepared
from runtime.codec import KEY_ID
from runtime.settings import Settings

CATCH_UP = timedelta(hours=12)
"""How late a run may still start after Temporal was down."""
_SCHEDULE = "schedule"


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
    done = [step async for step in prepare_schedules(client, settings)]
    return tuple(step.name for step in done if step.change is Change.MADE)


async def prepare_schedules(client: Client, settings: Settings, *, rehearse: bool = False) -> AsyncIterator[Prepared]:
    """As `ensure_schedules`, telling each step once it is done; with `rehearse` only what would be done."""
    wanted = schedules_of(settings)
    if len(wanted) == len(RECURRING) and await _known(client, names.RECONCILIATION_WORKFLOW) is not None:
        if not rehearse:
            await client.get_schedule_handle(names.RECONCILIATION_WORKFLOW).delete()
        yield Prepared(_SCHEDULE, names.RECONCILIATION_WORKFLOW, Change.CHANGED, "removed: no Odoo can be asked")
    for job in wanted:
        yield await _prepared(client, job, settings, rehearse=rehearse)


async def _known(client: Client, name: str) -> ScheduleDescription | None:
    try:
        return await client.get_schedule_handle(name).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None


async def _prepared(client: Client, job: Recurring, settings: Settings, *, rehearse: bool) -> Prepared:
    known, schedule = await _known(client, job.workflow), _schedule(job, settings)
    every = f"every {_interval(job.every)}"
    if known is None:
        made = rehearse or await _create(client, job.workflow, schedule)
        return Prepared(_SCHEDULE, job.workflow, Change.MADE if made else Change.NONE, every)
    paused = "; paused, and stays so" if known.schedule.state.paused else ""
    if await _same(known.schedule, schedule, client):
        return Prepared(_SCHEDULE, job.workflow, Change.NONE, every + paused)
    if not rehearse:
        await client.get_schedule_handle(job.workflow).update(lambda found: _updated(found, schedule))
    return Prepared(_SCHEDULE, job.workflow, Change.CHANGED, every + paused)


def _interval(every: timedelta) -> str:
    minutes = int(every.total_seconds()) // 60
    return f"{minutes} min" if minutes % 60 else f"{minutes // 60} h"


async def _create(client: Client, name: str, schedule: Schedule) -> bool:
    try:
        await client.create_schedule(name, schedule)
    except ScheduleAlreadyRunningError:
        return False
    return True


async def _same(known: Schedule, wanted: Schedule, client: Client) -> bool:
    """Whether the known schedule does what the wanted one would."""
    one, other = known.action, wanted.action
    if not isinstance(one, ScheduleActionStartWorkflow) or not isinstance(other, ScheduleActionStartWorkflow):
        return False
    timing = (known.spec.intervals, known.policy.overlap, known.policy.catchup_window)
    if timing != (wanted.spec.intervals, wanted.policy.overlap, wanted.policy.catchup_window):
        return False
    converter, stored = client.data_converter, [arg for arg in one.args if isinstance(arg, Payload)]
    sealed = await converter.encode(list(other.args))
    # A schedule lives for ever: what an old key has encrypted there would need that key for ever.
    if [arg.metadata.get(KEY_ID) for arg in stored] != [arg.metadata.get(KEY_ID) for arg in sealed]:
        return False
    orders, asked = await converter.decode(stored), await converter.decode(sealed)
    return (one.workflow, one.task_queue, orders) == (other.workflow, other.task_queue, asked)


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
