"""Decisions about dead letters, with the real workflow and with its worker gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from contracts.decisions import Discard
from contracts.errors import FailureClass, make_failure
from contracts.names import DELIVER, GENERATE, WORKFLOW_QUEUE, callbacks_queue, images_queue
from contracts.requests import DeliverInput, DeliveryReceipt, GenerateInput, Generation
from starter.api.executions import Way, discard, find_request
from tests.starter.front import API_KEY, Front, event, make_settings, running_starter
from tests.temporal_server import connected, running_server
from workflows import WORKFLOWS, sandbox

UNKNOWN = "whose outcome nobody knows"
"""In a prompt: the image may be paid for."""


@activity.defn(name=GENERATE)
async def fail_to_generate(call: GenerateInput) -> Generation:
    if UNKNOWN in call.request.prompt:
        failure = make_failure(FailureClass.OUTCOME_UNKNOWN, "no answer at all")
    else:
        failure = make_failure(FailureClass.QUOTA_EXHAUSTED, "no credit left")
    raise ApplicationError("failed", failure.model_dump(mode="json"), type=failure.failure, non_retryable=True)


@activity.defn(name=DELIVER)
async def take_delivery(_call: DeliverInput) -> DeliveryReceipt:
    return DeliveryReceipt(http_status=200)


@pytest.fixture(scope="module")
async def lonely(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Front]:
    """A starter with a Temporal server of its own, on which workers come and go."""
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(running_server(tmp_path_factory.mktemp("temporal")))
        client = await connected(address)
        settings = make_settings(tmp_path_factory.mktemp("starter"))
        yield await stack.enter_async_context(running_starter(settings, client))


@asynccontextmanager
async def working(client: Client) -> AsyncIterator[None]:
    """Workers whose image service never has credit."""
    queues: list[tuple[str, dict[str, Any]]] = [
        (WORKFLOW_QUEUE, {"workflows": WORKFLOWS, "activities": [take_delivery], "workflow_runner": sandbox()}),
        (images_queue("main"), {"activities": [fail_to_generate]}),
        (callbacks_queue("main"), {"activities": [take_delivery]}),
    ]
    async with AsyncExitStack() as stack:
        for queue, work in queues:
            await stack.enter_async_context(Worker(client, task_queue=queue, **work))
        yield


async def parked(front: Front, request_id: str, parking: int = 1) -> dict[str, Any]:
    """The status of the request once it is in that parking."""
    async with asyncio.timeout(30):
        while True:
            state: dict[str, Any] = (await front.http.get(f"/api/requests/{request_id}", headers=API_KEY)).json()
            if state.get("parked", {}).get("parking") == parking:
                return state
            await asyncio.sleep(0.02)


async def redrive(front: Front, request_id: str, **more: object) -> httpx.Response:
    body = {"by": "ann", "reason": "credit was added", **more}
    return await front.http.post(f"/api/requests/{request_id}/redrive", json=body, headers=API_KEY)


async def posted(front: Front, **changes: str) -> str:
    body = event(**changes)
    await front.post("dialect/event", body)
    return str(body["requestId"])


async def test_a_dead_letter_is_shown_with_its_cause_and_a_worker_takes_the_redrive(lonely: Front) -> None:
    request_id = await posted(lonely)
    async with working(lonely.client):
        state = await parked(lonely, request_id)
        refused = await redrive(lonely, request_id, edits={"no_such_field": 1})
        taken = await redrive(lonely, request_id)
        await parked(lonely, request_id, parking=2)
    assert (state["stage"], state["failure_code"], state["cause"]) == ("parked", "AI_QUOTA_EXHAUSTED", "QuotaExhausted")
    assert state["parked"]["failure"]["message"] == "no credit left"
    assert refused.status_code == 409
    assert refused.json()["message"].startswith("no such field: no_such_field")
    assert (taken.status_code, taken.json()["redriven"], taken.json()["way"]) == (200, True, "update")


async def test_without_a_worker_the_redrive_goes_by_signal_and_counts_once(lonely: Front) -> None:
    request_id = await posted(lonely)
    async with working(lonely.client):
        await parked(lonely, request_id)
    answer = await redrive(lonely, request_id)
    async with working(lonely.client):
        await parked(lonely, request_id, parking=2)
        log = await lonely.workflow("event", request_id).query("status", result_type=dict)
    assert (answer.status_code, answer.json()["way"]) == (200, "signal")
    assert sum("redrive" in line for line in log["log"]) == 1


async def test_without_a_worker_too_a_second_payment_has_to_be_said(lonely: Front) -> None:
    request_id = await posted(lonely, prompt=f"a fox {UNKNOWN}")
    async with working(lonely.client):
        await parked(lonely, request_id)
    refused = await redrive(lonely, request_id, service="spare")
    taken = await redrive(lonely, request_id, service="spare", generate_again=True)
    history = await lonely.workflow("event", request_id).fetch_history()
    signals = [each for each in history.events if each.HasField("workflow_execution_signaled_event_attributes")]
    await lonely.workflow("event", request_id).terminate()
    assert (refused.status_code, "add generate_again" in refused.json()["message"]) == (409, True)
    assert (taken.status_code, taken.json()["way"], len(signals)) == (200, "signal", 1)


async def test_what_is_not_parked_cannot_be_redriven_even_without_a_worker(lonely: Front) -> None:
    request_id = await posted(lonely)
    answer = await redrive(lonely, request_id)
    assert (answer.status_code, answer.json()["code"]) == (409, 409)
    assert "not parked" in answer.json()["message"]
    await lonely.workflow("event", request_id).terminate()


async def test_a_discarded_request_has_ended_and_is_still_known(lonely: Front) -> None:
    body = event()
    request_id = str(body["requestId"])
    first = await lonely.post("dialect/event", body)
    async with working(lonely.client):
        await parked(lonely, request_id)
        state = await find_request(lonely.client, lonely.settings, request_id)
        way = await discard(lonely.client, state, Discard(by="ann", reason="not wanted"))
        await lonely.workflow("event", request_id).result()
        late = await redrive(lonely, request_id)
    again = await lonely.post("dialect/event", body)
    changed = await lonely.post("dialect/event", {**body, "prompt": "a blue fox"})
    assert way is Way.UPDATE
    assert (late.status_code, late.json()["message"]) == (409, "The request has ended (discarded).")
    assert (again.status_code, again.content, changed.status_code) == (200, first.content, 409)
    assert (await lonely.workflow("event", request_id).describe()).run_id == state.run_id
