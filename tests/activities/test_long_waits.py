"""Days of retries and waits, proved on a server that skips time: real activities, a real socket, real policies."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType, IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowHistory
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from activities import Activities
from contracts import names, search_attributes
from contracts.decisions import Status
from contracts.dialects import DIALECTS
from runtime.blobs import LocalBlobStore
from runtime.settings import Settings
from runtime.temporal import DATA_CONVERTER
from starter.intake.submission import submission
from tests.activities.post import make_settings
from tests.services.scripted import Script, ScriptedServer
from worker import build_workers

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Ended:
    """A request that nobody decided about, from its start to its expiry."""

    handle: WorkflowHandle[Any, Any]
    history: WorkflowHistory
    error: WorkflowFailureError
    callbacks: int

    def moment(self, kind: EventType.ValueType) -> datetime:
        """When the first event of that kind was."""
        event = next(event for event in self.history.events if event.event_type == kind)
        return event.event_time.ToDatetime()

    @property
    def until_parked(self) -> timedelta:
        # The memo is the first that changes when a request becomes a dead letter.
        began = self.moment(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
        return self.moment(EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED) - began

    @property
    def until_expired(self) -> timedelta:
        began = self.moment(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
        return self.moment(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED) - began

    async def log(self) -> str:
        status: Status = await self.handle.query(names.STATUS, result_type=Status)
        return "\n".join(status.log)


@asynccontextmanager
async def skipping() -> AsyncIterator[Client]:
    """A client of a server that skips time whenever nothing runs."""
    binary = Path(sys.executable).parent / "temporal-test-server"
    environment = await WorkflowEnvironment.start_time_skipping(
        data_converter=DATA_CONVERTER, test_server_existing_path=str(binary)
    )
    async with environment:
        keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
        attributes = {key.name: keyword for key in search_attributes.ALL}
        request = AddSearchAttributesRequest(namespace=environment.client.namespace, search_attributes=attributes)
        await environment.client.operator_service.add_search_attributes(request)
        yield environment.client


async def expired(client: Client, settings: Settings, odoo: ScriptedServer, **body: str) -> Ended:
    """Start a request with the starter's snapshot of the policies, and wait for its end."""
    intake = DIALECTS["event"].parse({"requestId": "request-7", "correlationId": "correlation-7", **body})
    asked = submission(settings, "event", intake)
    # Only a handle that comes from a start skips time while it waits.
    handle: WorkflowHandle[Any, Any] = await client.start_workflow(
        names.WORKFLOW, asked.input, id=asked.workflow_id, task_queue=names.WORKFLOW_QUEUE
    )
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    return Ended(handle, await handle.fetch_history(), caught.value, len(odoo.received))


@asynccontextmanager
async def working(directory: Path) -> AsyncIterator[tuple[Client, Settings, ScriptedServer]]:
    """A worker with all defaults, in front of one server that plays both Odoo and image service."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(ScriptedServer().running())
        client = await stack.enter_async_context(skipping())
        tree = make_settings(directory, server.url).model_dump()
        tree["services"]["flux"]["base_url"] = server.url
        settings = Settings.model_validate(tree)
        activities = Activities(settings, LocalBlobStore(settings.store.path), client)
        stack.push_async_callback(activities.aclose)
        for worker in build_workers(client, settings, activities):
            await stack.enter_async_context(worker)
        yield client, settings, server


async def test_a_callback_is_tried_for_three_days_and_then_waits_thirty_for_a_decision(tmp_path: Path) -> None:
    async with working(tmp_path) as (client, settings, server):
        server.play(Script(503))
        # A body without a prompt: the only thing to do is to tell Odoo so.
        ended = await expired(client, settings, server)
        log = await ended.log()
    assert 72 * HOUR - timedelta(minutes=10) < ended.until_parked <= 72 * HOUR + timedelta(minutes=1)
    # Every ten minutes at the most, every five on the average of the shortest.
    # The completed outcome for 72 hours, and after 30 days its expiry for as long again.
    assert 2 * 72 * 6 < ended.callbacks < 2 * (72 * 12 + 20)
    assert "parked as dead letter 1 at step deliver: CallbackUndeliverable" in log
    assert "past the deadline of 259200 s" in log
    assert 71 * HOUR < ended.until_expired - ended.until_parked - 30 * DAY <= 72 * HOUR + timedelta(minutes=1)
    assert isinstance(ended.error.cause, ApplicationError)
    assert ended.error.cause.type == "Expired"


async def test_a_service_that_asks_to_wait_is_waited_for_until_the_deadline(tmp_path: Path) -> None:
    async with working(tmp_path) as (client, settings, server):
        server.play(*[Script(429, headers={"Retry-After": "600"})] * 6, Script(200, b'{"status": "ok"}'))
        ended = await expired(client, settings, server, prompt="a harbour at dawn")
        log = await ended.log()
    assert 3000 <= ended.until_parked.total_seconds() <= 3600
    assert "parked as dead letter 1 at step generate: RateLimited" in log
    assert log.count("Odoo took the callback") == 2, "the failure, and its expiry"
    assert 30 * DAY <= ended.until_expired - ended.until_parked < 30 * DAY + timedelta(minutes=1)
