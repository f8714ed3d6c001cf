"""`orchestrator store`, as its users run it."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.worker import Worker

from activities import Activities
from contracts import names
from contracts.identity import sha256_hex
from runtime.blobs import LocalBlobStore, image_key
from runtime.configuration import load_settings
from tests.operations.commandline import CommandLine, configured
from tests.temporal_server import connected, running_server
from workflows import WORKFLOWS, sandbox

OLD = time.time() - 100 * 86_400
REPORT = {
    "requests_deleted": 0,
    "requests_kept": 0,
    "images_deleted": 1,
    "images_kept": 1,
    "bytes_deleted": 3,
    "bytes_kept": 5,
}

AWAY = {
    "ORCHESTRATOR__STORE__KIND": "s3",
    "ORCHESTRATOR__STORE__BUCKET": "pictures",
    "ORCHESTRATOR__STORE__ENDPOINT": "http://127.0.0.1:9",
    "ORCHESTRATOR__STORE__TIMEOUT_S": "1",
    "AWS_ACCESS_KEY_ID": "made-up",
    "AWS_SECRET_ACCESS_KEY": "made-up",
}
"""A bucket that nobody serves."""


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with running_server(tmp_path_factory.mktemp("store")) as address:
        yield address


@pytest.fixture
async def line(tmp_path: Path, server: str) -> AsyncIterator[CommandLine]:
    """A command line with a worker and a store that holds an old image and a young one."""
    line = configured(tmp_path, server)
    store = LocalBlobStore(tmp_path / "images")
    for data in (b"old", b"young"):
        await store.write(image_key(sha256_hex(data)), data)
    os.utime(tmp_path / "images" / image_key(sha256_hex(b"old")), (OLD, OLD))
    client = await connected(server)
    activities = Activities(load_settings(line.config), store, client)
    # Whatever chores a worker has: a workflow that asks for one that nobody does would wait for it.
    (chores,) = [served.activities for served in activities.queues() if served.queue == names.MAINTENANCE_QUEUE]
    workflows = Worker(client, task_queue=names.WORKFLOW_QUEUE, workflows=WORKFLOWS, workflow_runner=sandbox())
    async with workflows, Worker(client, task_queue=names.MAINTENANCE_QUEUE, activities=chores):
        yield line
    await activities.aclose()


async def test_from_bootstrap_to_the_last_sweep(line: CommandLine) -> None:
    prepared = await line.run("bootstrap", "--json")
    assert names.RETENTION_WORKFLOW in prepared.document["schedules"]
    rehearsed = await line.run("store", "sweep", "--dry-run", "--json")
    assert rehearsed.document == {"dry_run": True, **REPORT}
    swept = await line.run("store", "sweep", "--now")
    assert swept.code == 0
    assert "1 (0.0 MB), kept 1 (0.0 MB)" in swept.out
    assert not await LocalBlobStore(line.directory / "images").read(image_key(sha256_hex(b"old")))
    status = (await line.run("store", "status", "--json")).document
    assert (status["kind"], status["place"], status["usable"], status["problem"]) == ("local", "images", True, None)
    # park_s, callback.retry.deadline_s, callback.url_ttl_s, and two days.
    assert status["retention_s"] == (30 + 3 + 7 + 2) * 86_400
    assert status["sweeps"]["last"]["report"] == {"dry_run": False, **REPORT}
    assert status["sweeps"]["paused"] is False


async def test_status_tells_it_in_words(line: CommandLine) -> None:
    await line.run("bootstrap")
    told = await line.run("store", "status")
    assert told.code == 0
    assert "usable" in told.out
    assert "42.0 days" in told.out


async def test_a_store_that_cannot_be_used_is_told(line: CommandLine) -> None:
    told = await line.run("store", "status", **AWAY)
    assert told.code == 1
    assert "bucket 'pictures' at http://127.0.0.1:9 cannot be reached: check store.endpoint" in told.out
    assert "Traceback" not in told.err


async def test_a_worker_does_not_start_on_a_store_that_cannot_be_used(line: CommandLine) -> None:
    await line.run("bootstrap")
    told = await line.run("worker", **AWAY)
    assert told.code == 2
    assert told.err.splitlines()[-1].startswith("store: bucket 'pictures' at http://127.0.0.1:9 cannot be reached")


@pytest.mark.parametrize("options", [(), ("--dry-run", "--now")])
async def test_one_of_two_ways_has_to_be_named(options: tuple[str, ...], offline: CommandLine) -> None:
    told = await offline.run("store", "sweep", *options)
    assert told.code == 2
    assert "say either --dry-run or --now" in told.err
