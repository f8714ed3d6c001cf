"""What one look finds: counts of visibility, the accounts' own state, the callbacks under way. All of it read only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode

from activities.account_desk import read_standing
from contracts import names
from contracts import search_attributes as attributes
from contracts.alert_conditions import PARKED
from contracts.alerts import AccountFacts, DeadLetterGroup, LevelFacts, Observation, OdooFacts
from contracts.errors import RULES, Ending
from contracts.policies import Tally
from contracts.requests import Outcome, Stage
from runtime.settings import Settings

_AT_ONCE = 8
_SAMPLES = 3
"""Deliveries that are looked at closely, per Odoo."""
_OURS = f'WorkflowType = "{names.WORKFLOW}"'
_OPEN = f'{_OURS} AND ExecutionStatus = "Running"'
_CAUSES = tuple(str(cause) for cause, rule in RULES.items() if rule.ending is Ending.DEAD_LETTER)

_Dimension = tuple[SearchAttributeKey[str], Sequence[str]]


class Watch:
    """Looks at one namespace by the settings of this worker."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def look(self) -> Observation:
        """Look once; raises `RPCError`."""
        letters, accounts, odoos, level = await asyncio.gather(
            self._dead_letters(),
            asyncio.gather(*(self._account(name) for name in self._settings.services)),
            asyncio.gather(*(self._odoo(name) for name in self._settings.odoos)),
            self._level(time.time()),
        )
        return Observation(
            policy=self._settings.alerts.policy(),
            dead_letters=tuple(letters),
            accounts=tuple(accounts),
            odoos=tuple(odoos),
            level=level,
        )

    async def _count(self, query: str) -> int:
        async with self._slots:
            return (await self._client.count_workflows(query)).count

    # --- dead letters -------------------------------------------------------------------------------------------

    async def _dead_letters(self) -> list[DeadLetterGroup]:
        """All that are open, by cause, service and database; one query where there is none."""
        query = f"{_OPEN} AND {PARKED}"
        databases = {odoo.database for odoo in self._settings.odoos.values()}
        dimensions: tuple[_Dimension, ...] = (
            (attributes.CAUSE, _CAUSES),
            (attributes.SERVICE, tuple(self._settings.services)),
            (attributes.ODOO_DATABASE, sorted(databases)),
        )
        groups = await self._split(query, await self._count(query), dimensions)
        return [
            DeadLetterGroup(cause=cause, service=service, database=database, count=count)
            for (cause, service, database), count in groups
        ]

    async def _split(
        self, query: str, count: int, dimensions: Sequence[_Dimension]
    ) -> list[tuple[tuple[str | None, ...], int]]:
        # Visibility cannot group by these attributes, and a list of thousands is too much for each look.
        if count <= 0 or not dimensions:
            return [((), count)] if count > 0 else []
        (key, values), below = dimensions[0], dimensions[1:]
        counts = await asyncio.gather(*(self._count(_and(query, key, value)) for value in values))
        parts = await asyncio.gather(
            *(self._split(_and(query, key, value), part, below) for value, part in zip(values, counts, strict=True))
        )
        named = zip(values, parts, strict=True)
        found: list[tuple[tuple[str | None, ...], int]] = [
            ((value, *rest), part) for value, split in named for rest, part in split
        ]
        unnamed = count - sum(counts)
        if unnamed > 0:
            found.append((tuple(None for _ in dimensions), unnamed))
        return found

    # --- services -----------------------------------------------------------------------------------------------

    async def _account(self, service: str) -> AccountFacts:
        async with self._slots:
            standing = await read_standing(self._client, service)
        if standing is None:
            return AccountFacts(service=service)
        return AccountFacts(
            service=service,
            circuit_open=standing.circuit.open_until is not None,
            quota_exhausted_since=standing.quota_exhausted_since,
        )

    # --- callbacks ----------------------------------------------------------------------------------------------

    async def _odoo(self, odoo: str) -> OdooFacts:
        database = self._settings.odoos[odoo].database
        query = _and(_and(_OPEN, attributes.STAGE, Stage.DELIVERING), attributes.ODOO_DATABASE, database)
        waiting, (backlog, age_s) = await asyncio.gather(self._count(query), self._backlog(odoo))
        return OdooFacts(
            odoo=odoo,
            database=database,
            waiting=waiting,
            failing_since=await self._failing_since(query) if waiting else None,
            backlog=backlog,
            backlog_age_s=age_s,
        )

    async def _failing_since(self, query: str) -> float | None:
        """When the first of the oldest deliveries began to fail; None where one of them does not."""
        old = _moment(time.time() - self._settings.alerts.callback_down_s)
        tallies: list[Tally] = []
        async for execution in self._client.list_workflows(f"{query} AND StartTime < {old}", limit=_SAMPLES):
            tallies += await self._tallies(execution.id, execution.run_id)
        limit = time.time() - self._settings.alerts.callback_down_s
        failing = [tally.started_at for tally in tallies if tally.failures > 0 and tally.started_at <= limit]
        return min(failing) if failing and len(failing) == len(tallies) else None

    async def _tallies(self, workflow_id: str, run_id: str) -> list[Tally]:
        try:
            described = await self._client.get_workflow_handle(workflow_id, run_id=run_id).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return []
            raise
        deliveries = [
            pending
            for pending in described.raw_description.pending_activities
            if pending.activity_type.name == names.DELIVER
        ]
        return [tally for pending in deliveries for tally in await self._tally(pending)]

    async def _tally(self, pending: PendingActivityInfo) -> list[Tally]:
        payloads = pending.heartbeat_details.payloads
        return await self._client.data_converter.decode(payloads, [Tally]) if payloads else []

    async def _backlog(self, odoo: str) -> tuple[int, float]:
        """Callbacks that no worker has taken, and how many seconds the oldest waits."""
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=names.callbacks_queue(odoo)),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            report_stats=True,
        )
        async with self._slots:
            stats = (await self._client.workflow_service.describe_task_queue(request)).stats
        return stats.approximate_backlog_count, stats.approximate_backlog_age.ToTimedelta().total_seconds()

    # --- service level ------------------------------------------------------------------------------------------

    async def _level(self, now: float) -> LevelFacts:
        # By when they came: a redrive of what failed long ago must not look like a service that is slow now.
        promised = self._settings.alerts.service_level
        begin = _moment(now - promised.window_s)
        closed = f'{_OURS} AND {attributes.OUTCOME.name} = "{Outcome.COMPLETED}" AND StartTime >= {begin}'
        late = f"{_OPEN} AND StartTime >= {begin} AND StartTime < "
        queries = (
            closed,
            f'{closed} AND ExecutionDuration <= "{promised.fast_s:g}s"',
            f'{closed} AND ExecutionDuration <= "{promised.slow_s:g}s"',
            late + _moment(now - promised.fast_s),
            late + _moment(now - promised.slow_s),
        )
        done, fast, slow, late_fast, late_slow = await asyncio.gather(*(self._count(query) for query in queries))
        return LevelFacts(due_fast=done + late_fast, fast=fast, due_slow=done + late_slow, slow=slow)


def _and(query: str, key: SearchAttributeKey[str], value: str) -> str:
    return f"{query} AND {attributes.equals(key.name, value)}"


def _moment(epoch_s: float) -> str:
    return f'"{datetime.fromtimestamp(epoch_s, UTC).isoformat()}"'
