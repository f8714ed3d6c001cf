"""A running stack that a test may shoot at, and what became of the requests that were posted to it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
from temporalio.api.enums.v1 import EventType, PendingActivityState
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError

from contracts import names
from contracts import search_attributes as attributes
from contracts.decisions import Redrive, Status
from contracts.dialects import DIALECTS
from contracts.requests import Stage
from operations.demo.requests import webhook_headers
from operations.local_stack import Faults, local_stack
from operations.stack import StandIns
from runtime.configuration import load_settings
from runtime.environment import variable_name
from starter.intake.submission import submission
from tests.crashes.orders import BRIEF, FREE, HELD, PAID, PATIENCE_S, SLOW, Fate, Order, until

RETRY_AFTER_S = 1
"""Seconds in the Retry-After of a 503."""

SLOW_FAULT: dict[str, Any] = {"match": SLOW, "kind": "slow", "seconds": 2.0, "times": 0}
_IMAGE_FAULTS: tuple[dict[str, Any], ...] = (
    SLOW_FAULT,
    {"match": BRIEF, "kind": "slow", "seconds": 0.8, "times": 0},
)
_CALLBACK_FAULTS: tuple[dict[str, Any], ...] = (
    # The quick try and the first one in earnest.
    {"match": HELD, "kind": "hang", "times": 2},
)
_SETTINGS: dict[str, str] = {
    "services.openai.paid": "false",
    # One failure that counts would be the last: whoever recovers has burnt no budget.
    **{f"services.{name}.retry.attempts": "1" for name in ("flux", "openai")},
    **{f"services.{name}.retry.timeout_s": "4" for name in ("flux", "openai")},
    **{f"services.{name}.retry.heartbeat_s": "2" for name in ("flux", "openai")},
    **{f"routes.{route.dialect}.callback.retry.timeout_s": "4" for route in (PAID, FREE)},
    **{f"routes.{route.dialect}.callback.retry.heartbeat_s": "2" for route in (PAID, FREE)},
    "starter.start_deadline_s": "0.5",
    "starter.retry_after_s": str(RETRY_AFTER_S),
}


class Site:
    """The stack with its stand-ins, set up so that crashes are noticed and recovered from within seconds.

    `settings` stand in for those that make it so.
    """

    def __init__(self, directory: Path, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        self._local = local_stack(
            directory,
            faults=Faults(_IMAGE_FAULTS, _CALLBACK_FAULTS),
            usual_ports=False,
            settings={variable_name(path): value for path, value in {**_SETTINGS, **settings}.items()},
        )
        self._stack = self._local.stack
        self._settings = load_settings(self._local.config)
        self.http = httpx.AsyncClient(trust_env=False, timeout=15.0)

    @property
    def client(self) -> Client:
        return self._stack.client

    # --- processes ----------------------------------------------------------------------------------------------

    async def start(self, *, worker: bool = True) -> None:
        """Start everything; without `worker`, workers are the test's own."""
        stack = self._stack
        workers = [stack.worker()] if worker else []
        for program in (stack.server(), *stack.local_programs(self._stand_ins), *workers, stack.starter()):
            await stack.supervisor.start(program)

    async def stop(self) -> None:
        await self.http.aclose()
        await self._stack.stop()

    def kill(self, name: str) -> Callable[[], Awaitable[object]]:
        """Kill -9 a program; gives what tells whether its successor is ready."""
        programs = (self._stack.server(), self._stack.worker(), self._stack.starter())
        ready = next(program.ready for program in programs if program.name == name)
        killed = self._stack.supervisor.pid(name)
        os.kill(killed, signal.SIGKILL)

        async def back() -> bool:
            return self._stack.supervisor.pid(name) != killed and await ready()

        return back

    async def own_worker(self, log: Path, **settings: str) -> asyncio.subprocess.Process:
        """A worker that nobody restarts; `settings` are paths with __ for the dot."""
        program = self._stack.worker()
        more = {variable_name(path.replace("__", ".")): value for path, value in settings.items()}
        with log.open("ab") as output:
            return await asyncio.create_subprocess_exec(
                *program.command, stdout=output, stderr=output, env={**program.whole_environment(), **more}
            )

    # --- requests -----------------------------------------------------------------------------------------------

    async def post(self, order: Order) -> httpx.Response | None:
        """The answer, or None where the starter died over it."""
        headers = webhook_headers(order.route, self._local.files.read_secret("webhook"))
        try:
            return await self.http.post(
                f"{self._stack.starter_url}/webhook/{order.route.path}", json=order.body, headers=headers
            )
        except httpx.TransportError:
            return None

    async def taken(self, order: Order) -> int:
        """Post until it is acknowledged; gives the number of posts."""
        posts = 0

        async def acknowledged() -> bool:
            nonlocal posts
            posts += 1
            answer = await self.post(order)
            assert answer is None or answer.status_code in {200, 503}, f"{answer.status_code}: {answer.text}"
            return answer is not None and answer.is_success

        await until(acknowledged, f"{order.request_id} was never acknowledged")
        return posts

    async def take_all(self, wanted: Sequence[Order]) -> int:
        """Post all until they are acknowledged; gives the number of posts."""
        return sum(await asyncio.gather(*(self.taken(order) for order in wanted)))

    async def receiver_is_down(self, seconds: float) -> None:
        """From now on the receiver closes every connection."""
        await self.http.post(f"{self._stand_ins.receiver_url}/down", json={"seconds": seconds})

    async def stored(self, record: str, wanted: Sequence[Order]) -> None:
        """Wait until the store has that record (marker or manifest) of the first generation of all of them."""
        images = self._local.files.directory / "images"
        keys = [self._store_key(order) for order in wanted]

        async def there() -> bool:
            return all((images / f"requests/{key[:2]}/{key}/1/{record}.json").exists() for key in keys)

        await until(there, f"not every request has its {record} in the store")

    def _store_key(self, order: Order) -> str:
        intake = DIALECTS[order.route.dialect].parse(dict(order.body))
        return submission(self._settings, order.route.dialect, intake).input.store_key

    # --- outcomes -----------------------------------------------------------------------------------------------

    async def are_at(self, stage: Stage, wanted: Sequence[Order]) -> None:
        """Wait until all are at that stage."""

        async def there() -> bool:
            found = await self._executions(wanted)
            return len(found) == len(wanted) and all(_stage(one) == stage for one in found)

        await until(there, f"not all requests reached stage {stage}")

    async def are_being_delivered(self, wanted: Sequence[Order]) -> None:
        """Wait until an attempt to deliver each of them is under way."""

        async def under_way() -> bool:
            described = [await self._handle(order).describe() for order in wanted]
            pending = [activity for one in described for activity in one.raw_description.pending_activities]
            started = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
            delivering = [one for one in pending if one.activity_type.name == names.DELIVER and one.state == started]
            return len(delivering) == len(wanted)

        await until(under_way, "not every outcome is being delivered")

    async def settled(self, wanted: Sequence[Order]) -> list[Fate]:
        """The fates of these requests, once each has ended or is parked and Odoo knows."""
        missing = list(wanted)

        async def all_settled() -> bool:
            ended = {one.id for one in await self._executions(missing) if _settled(one)}
            arrived = await self.arrived()
            missing[:] = [one for one in missing if one.workflow_id not in ended or one.request_id not in arrived]
            return not missing

        try:
            await until(all_settled, "")
        except AssertionError:
            stuck = {order.request_id: (await self.status(order)).log for order in missing}
            message = f"not settled within {PATIENCE_S:.0f} s: {stuck}"
            raise AssertionError(message) from None
        return await self.fates(wanted)

    async def fates(self, wanted: Sequence[Order]) -> list[Fate]:
        """What became of these requests so far."""
        executions = await self._executions(wanted)
        runs, newest = Counter(one.id for one in executions), {one.id: one for one in reversed(executions)}
        paid, arrived = await self.paid(), await self.arrived()
        return [
            Fate(
                order.request_id,
                runs[order.workflow_id],
                _state(newest[order.workflow_id]),
                newest[order.workflow_id].typed_search_attributes.get(attributes.CAUSE),
                paid[order.request_id],
                tuple(arrived.get(order.request_id, ())),
            )
            for order in wanted
        ]

    async def paid(self) -> Counter[str]:
        """The number of images that the service made, by request."""
        return Counter((await self.http.get(f"{self._stand_ins.image_url}/journal")).json()["paid"])

    async def arrived(self) -> dict[str, list[str]]:
        """The status of every outcome that was applied, by request; {} while the receiver is down."""
        try:
            received = (await self.http.get(f"{self._stand_ins.receiver_url}/received")).json()
        except httpx.TransportError:
            return {}
        assert (received["duplicates"], received["conflicts"]) == (0, 0), "an outcome was doubled or contradicted"
        arrived: dict[str, list[str]] = {}
        for outcome in received["outcomes"]:
            arrived.setdefault(outcome["request_id"], []).append(outcome["status"])
        return arrived

    async def redrive(self, order: Order, *, generate_again: bool) -> None:
        """Take a dead letter up again."""
        decision = Redrive(by="test", reason="it was killed", generate_again=generate_again)
        await self._handle(order).execute_update(names.REDRIVE, decision)

    async def status(self, order: Order) -> Status:
        """What the request says of itself."""
        status: Status = await self._handle(order).query(names.STATUS, result_type=Status)
        return status

    async def attempts(self, order: Order) -> list[int]:
        """The number of the attempt by which each activity of the request ended."""
        history = await self._handle(order).fetch_history()
        started = EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED
        events = [event for event in history.events if event.event_type == started]
        return [event.activity_task_started_event_attributes.attempt for event in events]

    def _handle(self, order: Order) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(order.workflow_id)

    async def _executions(self, wanted: Sequence[Order]) -> list[WorkflowExecution]:
        ids = {order.workflow_id for order in wanted}
        try:
            return [one async for one in self.client.list_workflows("") if one.id in ids]
        except RPCError:
            return []

    @property
    def _stand_ins(self) -> StandIns:
        assert self._local.stand_ins is not None
        return self._local.stand_ins


def _stage(execution: WorkflowExecution) -> str | None:
    return execution.typed_search_attributes.get(attributes.STAGE)


def _settled(execution: WorkflowExecution) -> bool:
    return execution.status is not WorkflowExecutionStatus.RUNNING or _stage(execution) == Stage.PARKED


def _state(execution: WorkflowExecution) -> str:
    return execution.typed_search_attributes.get(attributes.OUTCOME) or _stage(execution) or "unknown"
