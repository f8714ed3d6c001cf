"""Requests with encryption on: what Temporal's database holds, wrong and missing keys, rotation, mixed histories."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest
from temporalio.client import Client, ScheduleActionStartWorkflow, WorkflowExecutionStatus, WorkflowHandle
from temporalio.worker import Worker

from contracts.dialects import DIALECTS
from contracts.names import RETENTION_WORKFLOW, WORKFLOW_QUEUE, images_queue
from operations.replaying import replay_live
from operations.schedules import prepare_schedules
from runtime.bootstrap import Change
from runtime.codec import KEY_ID, DecryptionError
from runtime.configuration import load_settings
from runtime.temporal import TemporalUnreachableError
from starter.intake.starting import StartResult, start
from starter.intake.submission import submission
from tests.encryption.encrypted_site import client_with, encrypted, key_file, ring
from tests.operations.commandline import CommandLine
from tests.operations.requests_at_work import NO_CREDIT, ImageService, accepted, parked, told, working
from tests.temporal_server import connected, running_server
from workflows import WORKFLOWS, sandbox

BY_DESIGN = b"event/"
"""Begins every workflow id: not hidden."""


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A server of these tests' own: other workers lack the keys, and would meet their requests."""
    async with running_server(tmp_path_factory.mktemp("encrypted")) as running:
        yield running


@pytest.fixture
async def address(server: str) -> AsyncIterator[str]:
    """The server, without open requests before and after: each test has keys of its own."""
    yield server
    client = await connected(server)
    async for left in client.list_workflows('ExecutionStatus = "Running"'):
        await client.get_workflow_handle(left.id).terminate("the test is over")


@asynccontextmanager
async def dead_letter(line: CommandLine, client: Client, name: str) -> AsyncIterator[WorkflowHandle[Any, Any]]:
    async with working(client, line):
        yield await parked(client, line, name)


async def stored(client: Client, handle: WorkflowHandle[Any, Any]) -> bytes:
    """Everything that Temporal holds of a request: history, description, entry in the list."""
    history = await handle.fetch_history()
    described = (await handle.describe()).raw_description.SerializeToString()
    query = ListWorkflowExecutionsRequest(namespace="default", query=f'WorkflowId = "{handle.id}"')
    listed = (await client.workflow_service.list_workflow_executions(query)).SerializeToString()
    return b"".join([*(event.SerializeToString() for event in history.events), described, listed])


async def test_temporal_holds_no_clear_text(tmp_path: Path, address: str) -> None:
    key = key_file(tmp_path, "key")
    line, client = encrypted(tmp_path, address, key), await client_with(address, key)
    async with dead_letter(line, client, "hidden") as handle:
        held = await stored(client, handle)
        status = await line.call("status", "hidden", "--json")
    # Prompt, failure text, summary of the request, details, what is parked, what was said to the operator.
    hidden = (NO_CREDIT, "no credit left", "asked by Odoo", "make the image", "Image request", "correlation", "seed")
    assert [text for text in hidden if text.encode() in held] == []
    # Names, states and classes stay readable: lists and queries need them.
    assert all(text in held for text in (b"QuotaExhausted", b"generate-image", b"images.main", BY_DESIGN))
    assert status.code == 0
    assert "no credit left" in status.out


async def test_what_shows_that_the_search_can_find(tmp_path: Path, address: str) -> None:
    line, client = encrypted(tmp_path, address, key_file(tmp_path, "key")), await client_with(address)
    async with dead_letter(line, client, "in-the-open") as handle:
        held = await stored(client, handle)
    assert all(text in held for text in (NO_CREDIT.encode(), b"no credit left", b"Image request", b"make the image"))


async def test_a_worker_without_the_key_fails_no_request(tmp_path: Path, address: str) -> None:
    key = key_file(tmp_path, "key")
    line, client = encrypted(tmp_path, address, key), await client_with(address, key)
    handle = await accepted(client, line, "keyless", "a red bicycle")
    async with working(await client_with(address, key_file(tmp_path, "other")), line):
        while not await failed_tasks(handle):
            await asyncio.sleep(0.1)
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    async with working(client, line):
        assert (await handle.result())["outcome"] == "completed"


async def test_an_activity_without_the_key_is_tried_again(tmp_path: Path, address: str) -> None:
    key = key_file(tmp_path, "key")
    line, client, keyless = (
        encrypted(tmp_path, address, key),
        await client_with(address, key),
        await client_with(address),
    )
    service = ImageService(tmp_path / "images")
    decides = Worker(client, task_queue=WORKFLOW_QUEUE, workflows=WORKFLOWS, workflow_runner=sandbox())
    async with decides, Worker(keyless, task_queue=images_queue("main"), activities=[service.generate_image]):
        handle = await accepted(client, line, "no-key-for-activities", "a red bicycle")
        while not [one for one in (await handle.describe()).raw_description.pending_activities if one.attempt > 1]:
            await asyncio.sleep(0.1)
    async with working(client, line):
        assert (await handle.result())["outcome"] == "completed"


async def failed_tasks(handle: WorkflowHandle[Any, Any]) -> int:
    history = await handle.fetch_history()
    return sum(event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED for event in history.events)


async def test_a_command_line_without_the_key_names_it(tmp_path: Path, address: str) -> None:
    key, other = key_file(tmp_path, "key"), key_file(tmp_path, "other")
    line, client = encrypted(tmp_path, address, key), await client_with(address, key)
    async with dead_letter(line, client, "unreadable"):
        wrong = encrypted(tmp_path, address, other)
        ran = await wrong.call("status", "unreadable")
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert f"encrypted with the key {ring(key).active}, but encryption.keys has only {ring(other).active}" in ran.err


async def test_a_repeated_post_that_cannot_be_compared_is_asked_for_again(tmp_path: Path, address: str) -> None:
    key = key_file(tmp_path, "key")
    line, client = encrypted(tmp_path, address, key), await client_with(address, key)
    body = {"requestId": "twice", "correlationId": "c-1", "prompt": "a red bicycle"}
    asked = submission(load_settings(line.config), "event", DIALECTS["event"].parse(body))
    assert (await start(client, asked, 10)).result is StartResult.NEW
    assert (await start(client, asked, 10)).result is StartResult.SAME
    with pytest.raises(TemporalUnreachableError, match="encrypted with the key"):
        await start(await client_with(address, key_file(tmp_path, "other")), asked, 10)


async def test_rotation_and_what_was_there_before_encryption(tmp_path: Path, address: str) -> None:
    old, new = key_file(tmp_path, "old"), key_file(tmp_path, "new")
    line = encrypted(tmp_path, address, new, old)
    before, early, late = [await client_with(address, *keys) for keys in ((), (old,), (new, old))]
    plain = await accepted(before, line, "rotate-plain", NO_CREDIT)
    first = await accepted(early, line, "rotate-first", NO_CREDIT)
    async with working(late, line):
        for handle in (plain, first):
            request = late.get_workflow_handle(handle.id)
            while (await told(request)).parked is None:
                await asyncio.sleep(0.05)
        query = 'WorkflowId IN ("event/rotate-plain", "event/rotate-first")'
        report = await replay_live(late, query)
        checked = await line.call("keys", "check", "--query", query, "--json")
        lacking = await encrypted(tmp_path, address, new).call("keys", "check", "--query", query)
        with pytest.raises(DecryptionError, match="is not set"):
            await before.get_workflow_handle(first.id).query("status")
    assert report.passed
    assert len(report.results) == 2
    ids = {"old": ring(old).active, "new": ring(new).active}
    assert checked.document["executions"] == {ids["new"]: 2, ids["old"]: 1, "(clear text)": 1}
    assert (lacking.code, f"encrypted with {ids['old']}, which encryption.keys lacks" in lacking.err) == (1, True)


async def test_a_schedule_needs_an_old_key_no_longer_once_it_was_prepared_again(tmp_path: Path, address: str) -> None:
    old, new = key_file(tmp_path, "old"), key_file(tmp_path, "new")
    settings = load_settings(encrypted(tmp_path, address, new).config)
    plain, early, late = [await client_with(address, *keys) for keys in ((), (old,), (new,))]
    for client in (plain, early, late):
        (changed,) = [step.change async for step in prepare_schedules(client, settings)]
        (again,) = [step.change async for step in prepare_schedules(client, settings)]
        assert (changed is Change.NONE, again) == (False, Change.NONE)
    action = (await late.get_schedule_handle(RETENTION_WORKFLOW).describe()).schedule.action
    assert isinstance(action, ScheduleActionStartWorkflow)
    assert [arg.metadata[KEY_ID].decode() for arg in action.args] == [ring(new).active]
