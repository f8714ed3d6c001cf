"""An Update that ends its workflow while another event arrives, on the real server."""

from __future__ import annotations

import asyncio
import threading
import uuid
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from runtime.updates import execute_update

AT_WORK_S = 1.9
"""At most: less than what the SDK takes for a deadlock."""


class Moment:
    """What the workflow of this process tells its test."""

    handled = 0
    token: asyncio.Future[bytes]
    activity_ended: threading.Event


@activity.defn
async def last_until_told() -> None:
    Moment.token.set_result(activity.info().task_token)
    activity.raise_complete_async()


@workflow.defn(sandboxed=False)
class Endable:
    """Ends by its Update, with an activity under way."""

    def __init__(self) -> None:
        self._over = False

    @workflow.run
    async def run(self) -> str:
        under_way = workflow.start_activity(last_until_told, start_to_close_timeout=timedelta(minutes=1))
        await workflow.wait_condition(lambda: self._over)
        return "ended" if not under_way.done() else "ended, with the activity done"

    @workflow.update
    async def end(self, word: str) -> str:
        Moment.handled += 1
        # A workflow must not block; here the activity has to end while the task is under way.
        Moment.activity_ended.wait(AT_WORK_S)
        self._over = True
        return word


async def ended_while_its_activity_ends(
    client: Client, worker: Worker, handle: WorkflowHandle[Endable, str], *, again: bool
) -> str:
    async with worker:
        token = await Moment.token
        sent = execute_update(handle, "end", ["bye"]) if again else handle.execute_update("end", "bye")
        update = asyncio.create_task(sent)
        while not Moment.handled:
            await asyncio.sleep(0.01)
        await client.get_async_activity_handle(task_token=token).complete()
        Moment.activity_ended.set()
        return str(await update)


@pytest.fixture
async def started(temporal_client: Client) -> tuple[Worker, WorkflowHandle[Endable, str]]:
    Moment.handled, Moment.token, Moment.activity_ended = (
        0,
        asyncio.get_running_loop().create_future(),
        threading.Event(),
    )
    queue = f"updates-{uuid.uuid4()}"
    worker = Worker(
        temporal_client,
        task_queue=queue,
        workflows=[Endable],
        activities=[last_until_told],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    return worker, await temporal_client.start_workflow(Endable.run, id=queue, task_queue=queue)


async def test_temporal_drops_it(temporal_client: Client, started: tuple[Worker, WorkflowHandle[Endable, str]]) -> None:
    with pytest.raises(RPCError, match="unexpected workflow task failure"):
        await ended_while_its_activity_ends(temporal_client, *started, again=False)


async def test_it_is_sent_again_and_taken_once(
    temporal_client: Client, started: tuple[Worker, WorkflowHandle[Endable, str]]
) -> None:
    assert await ended_while_its_activity_ends(temporal_client, *started, again=True) == "bye"
    assert await started[1].result() == "ended, with the activity done"
    history = (await started[1].fetch_history()).events
    accepted = [event for event in history if event.HasField("workflow_execution_update_accepted_event_attributes")]
    assert (Moment.handled, len(accepted)) == (2, 1)


async def test_what_is_gone_is_told(temporal_client: Client) -> None:
    with pytest.raises(RPCError, match="not found"):
        await execute_update(temporal_client.get_workflow_handle(str(uuid.uuid4())), "end", [])
