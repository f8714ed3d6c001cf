"""The workflow `store-retention` and its schedule, with the real activity, store and Temporal server."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, ScheduleIntervalSpec, ScheduleOverlapPolicy, ScheduleUpdate, ScheduleUpdateInput
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

from activities.ledger import Ledger, LedgerActivities
from activities.open_requests import OpenRequests, find_open_requests
from activities.retention import RetentionActivities
from contracts import names
from contracts.identity import run_store_key, sha256_hex, store_key
from contracts.requests import GeneratedImages, StoredImage
from contracts.retention import SweepCursor, SweepOrder, SweepReport, request_folder
from operations.schedules import RECURRING, ensure_schedules
from operations.store_sweeps import SweepError, rehearse, sweep_now, sweep_state
from runtime.blobs import BlobEntry, BlobStore, LocalBlobStore, image_key
from runtime.settings import Settings
from tests.temporal_server import connected, running_server
from workflows import WORKFLOWS, sandbox

OLD = time.time() - 100 * 86_400


@pytest.fixture(scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """Of a server of its own: here every open request tells what it has."""
    async with running_server(tmp_path_factory.mktemp("retention")) as address:
        yield await connected(address)


@asynccontextmanager
async def sweeping(client: Client, store: BlobStore) -> AsyncIterator[None]:
    """A worker that sweeps that store."""
    activities = RetentionActivities(Settings(), store)
    workflows = Worker(client, task_queue=names.WORKFLOW_QUEUE, workflows=WORKFLOWS, workflow_runner=sandbox())
    chores: list[Callable[..., Any]] = [activities.sweep_store, LedgerActivities(Ledger(store)).compact_ledger]
    maintenance = Worker(client, task_queue=names.MAINTENANCE_QUEUE, activities=chores)
    async with workflows, maintenance:
        yield


async def old_request(root: Path, key: str, data: bytes) -> None:
    """Records and image of a request of long ago."""
    digest, store = sha256_hex(data), LocalBlobStore(root)
    image = StoredImage(sha256=digest, media_type="image/png", size=len(data), width=8, height=8)
    manifest = GeneratedImages(service="flux", images=(image,)).model_dump_json().encode()
    for written, content in ((f"{request_folder(key)}/1/manifest.json", manifest), (image_key(digest), data)):
        await store.write(written, content)
        os.utime(root / written, (OLD, OLD))


async def opened(client: Client, memo: dict[str, str] | None) -> tuple[str, str]:
    """An open request that nobody works on: its ids."""
    name = f"event/{uuid.uuid4()}"
    handle = await client.start_workflow(names.WORKFLOW, id=name, task_queue="nobody", memo=memo)
    return name, handle.first_execution_run_id or ""


async def indexed(client: Client, name: str) -> None:
    """Visibility follows a moment later."""
    async with asyncio.timeout(20):
        while name not in [run.id async for run in client.list_workflows('ExecutionStatus = "Running"')]:
            await asyncio.sleep(0.05)


async def ended(client: Client, name: str) -> None:
    """End a request, for visibility too."""
    await client.get_workflow_handle(name).terminate()
    async with asyncio.timeout(20):
        while name in [run.id async for run in client.list_workflows('ExecutionStatus = "Running"')]:
            await asyncio.sleep(0.05)


async def test_a_sweep_keeps_what_open_requests_have(client: Client, tmp_path: Path) -> None:
    name, run_id = await opened(client, {names.MEMO_DIGEST: "digest"})
    own = store_key(name, "digest")
    await old_request(tmp_path, own, b"first generation")
    await old_request(tmp_path, run_store_key(own, run_id), b"second generation")
    await old_request(tmp_path, "ab" * 32, b"of nobody")
    await indexed(client, name)
    # The server cannot be told that the request began long ago.
    needed = await find_open_requests(client, LocalBlobStore(tmp_path), time.time() + 60, lambda: None)
    assert needed.has_image(sha256_hex(b"first generation"))
    assert needed.has_image(sha256_hex(b"second generation"))
    assert not needed.has_image(sha256_hex(b"of nobody"))
    assert await find_open_requests(client, LocalBlobStore(tmp_path), OLD, lambda: None) == OpenRequests(
        frozenset({bytes.fromhex(own), bytes.fromhex(run_store_key(own, run_id))})
    )
    async with sweeping(client, LocalBlobStore(tmp_path)):
        report = await rehearse(client)
    assert (report.requests_deleted, report.requests_kept) == (1, 2)
    await ended(client, name)


async def test_a_request_that_does_not_tell_stops_the_sweep(client: Client, tmp_path: Path) -> None:
    name, _ = await opened(client, None)
    await indexed(client, name)
    with pytest.raises(ApplicationError, match=rf"open request {name} has no digest in its memo: nothing is deleted"):
        await find_open_requests(client, LocalBlobStore(tmp_path), OLD, lambda: None)
    async with sweeping(client, LocalBlobStore(tmp_path)):
        with pytest.raises(SweepError, match=r"the sweep failed: .* has no digest in its memo"):
            await rehearse(client)
    await ended(client, name)


async def test_the_schedule_sweeps(client: Client, tmp_path: Path) -> None:
    await forget_schedules(client)
    await ensure_schedules(client, Settings())
    await old_request(tmp_path, "ab" * 32, b"of nobody")
    async with sweeping(client, LocalBlobStore(tmp_path)):
        rehearsed = await rehearse(client)
        report = await sweep_now(client)
        again = await sweep_now(client)
    assert report == SweepReport(requests_deleted=1, images_deleted=1, bytes_deleted=9)
    assert rehearsed == report.model_copy(update={"dry_run": True})
    assert again == SweepReport()
    state = await sweep_state(client)
    assert state.last is not None
    assert (state.last.status, state.last.report) == ("completed", again)
    assert state.next is not None
    assert (state.next.hour, state.next.minute, state.paused) == (3, 17, False)


async def test_a_sweep_that_runs_is_joined(client: Client, tmp_path: Path) -> None:
    await ensure_schedules(client, Settings())
    schedule = client.get_schedule_handle(names.RETENTION_WORKFLOW)
    first = asyncio.create_task(sweep_now(client))
    # Without a worker it does not end.
    while not (await schedule.describe()).info.running_actions:
        await asyncio.sleep(0.05)
    second = asyncio.create_task(sweep_now(client))
    await asyncio.wait({second}, timeout=1)
    async with sweeping(client, LocalBlobStore(tmp_path)):
        assert [await first, await second] == [SweepReport(), SweepReport()]
    assert (await schedule.describe()).info.num_actions_skipped_overlap == 0


async def test_schedules_are_made_once(client: Client) -> None:
    await forget_schedules(client)
    assert await ensure_schedules(client, Settings()) == tuple(job.workflow for job in RECURRING)
    schedule = client.get_schedule_handle(names.RETENTION_WORKFLOW)
    await schedule.pause(note="stocktaking")
    await schedule.update(_every_hour)
    assert await ensure_schedules(client, Settings()) == ()
    known = (await schedule.describe()).schedule
    assert known.spec.intervals[0].every == timedelta(days=1)
    assert known.policy.overlap is ScheduleOverlapPolicy.SKIP
    assert (known.state.paused, known.state.note) == (True, "stocktaking")


def _every_hour(known: ScheduleUpdateInput) -> ScheduleUpdate:
    known.description.schedule.spec.intervals = [ScheduleIntervalSpec(every=timedelta(hours=1))]
    return ScheduleUpdate(known.description.schedule)


async def test_without_a_schedule_it_is_said(client: Client) -> None:
    await forget_schedules(client)
    for asked in (sweep_now, sweep_state):
        with pytest.raises(SweepError, match="has no schedule for it: run `orchestrator bootstrap` once"):
            await asked(client)


async def forget_schedules(client: Client) -> None:
    """As in a namespace that was just made."""
    await ensure_schedules(client, Settings())
    for job in RECURRING:
        await client.get_schedule_handle(job.workflow).delete()


class BrokenStore(LocalBlobStore):
    """A store that fails as soon as it is listed."""

    def list(self, prefix: str, after: str = "") -> AsyncIterator[BlobEntry]:
        raise OSError(5, "the disk is gone")


async def test_a_store_that_fails_is_said_in_one_line(client: Client, tmp_path: Path) -> None:
    environment = ActivityEnvironment(client=client)
    activities = RetentionActivities(Settings(), BrokenStore(tmp_path))
    with pytest.raises(ApplicationError, match=r"^StoreFailed: the store failed: the disk is gone$") as failed:
        await environment.run(activities.sweep_store, SweepOrder())
    assert not failed.value.non_retryable


async def test_an_attempt_goes_on_from_the_heartbeat_of_the_one_before(client: Client, tmp_path: Path) -> None:
    await old_request(tmp_path, "ab" * 32, b"1")
    environment = ActivityEnvironment(client=client)
    done = SweepCursor(phase="images", report=SweepReport(requests_deleted=7))
    environment.info = replace(environment.info, heartbeat_details=[done.model_dump(mode="json")])
    beats: list[SweepCursor] = []
    environment.on_heartbeat = beats.append
    report = await environment.run(RetentionActivities(Settings(), LocalBlobStore(tmp_path)).sweep_store, SweepOrder())
    assert report == SweepReport(requests_deleted=7, images_deleted=1, bytes_deleted=1)
    assert beats[-1] == SweepCursor(phase="images", after=image_key(sha256_hex(b"1")), report=report)
    assert [entry.key async for entry in LocalBlobStore(tmp_path).list("requests")] != []
