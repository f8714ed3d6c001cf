"""Attempts on a real worker that the server or the worker gives up on while the service is still being asked."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta

import pytest
from temporalio import activity
from temporalio.activity import ActivityCancellationDetails
from temporalio.client import ActivityFailureError, ActivityHandle, Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

from activities.services.base import Completed
from contracts.errors import FailureClass
from contracts.requests import GenerateInput, Generation
from tests.activities.desk import Desk, generate_input, refused
from tests.activities.doubles import INLINE, PICTURE
from tests.activities.series import failure_of
from tests.own_logs import own_logs


def asking(heartbeat_s: float) -> GenerateInput:
    """A call whose attempts say three times in `heartbeat_s` that they live."""
    policy = generate_input().policy.model_copy(update={"timeout_s": 60, "heartbeat_s": heartbeat_s})
    return generate_input(policy=policy)


def working(client: Client, desk: Desk, queue: str) -> Worker:
    """A worker that gives nobody time to finish."""
    return Worker(
        client,
        task_queue=queue,
        activities=[desk.activities.generate_image],
        graceful_shutdown_timeout=timedelta(0),
    )


async def started(client: Client, queue: str, call: GenerateInput) -> ActivityHandle[Generation]:
    handle: ActivityHandle[Generation] = await client.start_activity(
        "generate-image",
        call,
        id=queue,
        task_queue=queue,
        result_type=Generation,
        start_to_close_timeout=timedelta(seconds=120),
        heartbeat_timeout=timedelta(seconds=1),
        retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=100)),
    )
    return handle


async def called(desk: Desk) -> None:
    while not desk.service.submitted:
        await asyncio.sleep(0.01)


async def forever() -> Completed:
    await asyncio.Event().wait()
    return INLINE


@pytest.fixture
def queue() -> str:
    return f"abandoned-{uuid.uuid4()}"


async def test_an_attempt_that_lost_its_heartbeats_still_brings_its_image_home(
    temporal_client: Client, desk: Desk, queue: str
) -> None:
    given_up: list[bool] = []

    async def until_given_up() -> Completed:
        while not activity.is_cancelled():
            await asyncio.sleep(0.01)
        given_up.append(True)
        return INLINE

    desk.service.submits = [until_given_up]
    async with working(temporal_client, desk, queue):
        handle = await started(temporal_client, queue, asking(heartbeat_s=4.5))
        generation = await handle.result()
    assert given_up == [True]
    assert await desk.images(generation.generated) == [PICTURE]
    assert len(desk.service.submitted) == 1


async def test_a_cancelled_request_tears_the_call_down(temporal_client: Client, desk: Desk, queue: str) -> None:
    desk.service.submits = [forever]
    async with working(temporal_client, desk, queue):
        handle = await started(temporal_client, queue, asking(heartbeat_s=0.9))
        await called(desk)
        await handle.cancel()
        with pytest.raises(ActivityFailureError) as caught:
            await handle.result()
    assert isinstance(caught.value.cause, CancelledError)
    marker = await desk.marker()
    assert marker is not None
    assert marker.gives_up_at == 0, "nobody waits for a call that has been torn down"


async def test_a_worker_that_must_go_leaves_an_unknown_outcome_behind(
    temporal_client: Client, desk: Desk, queue: str
) -> None:
    desk.service.submits = [forever]
    async with working(temporal_client, desk, queue):
        handle = await started(temporal_client, queue, asking(heartbeat_s=0.9))
        await called(desk)
    async with working(temporal_client, desk, queue):
        with pytest.raises(ActivityFailureError) as caught:
            await handle.result()
    assert isinstance(caught.value.cause, ApplicationError)
    assert failure_of(caught.value.cause).failure is FailureClass.OUTCOME_UNKNOWN
    assert len(desk.service.submitted) == 1


async def test_a_call_that_fails_after_it_was_given_up_is_told_in_a_line(desk: Desk) -> None:
    release = asyncio.Event()

    async def late_failure() -> Completed:
        await release.wait()
        raise refused(FailureClass.OUTCOME_UNKNOWN, "no answer at all")

    desk.service.submits = [late_failure]
    environment = ActivityEnvironment()
    with own_logs() as logs:
        attempt = asyncio.create_task(environment.run(desk.activities.generate_image, asking(heartbeat_s=30)))
        await called(desk)
        environment.cancel(ActivityCancellationDetails(not_found=True))
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await attempt
    assert [(line["event"], line["reason"]) for line in logs] == [("abandoned_work_failed", "no answer at all")]
