"""A namespace of a real Temporal, broken in one way after the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client, Schedule, ScheduleUpdate, ScheduleUpdateInput
from temporalio.service import RPCError, RPCStatusCode

import worker
from activities.queue_rates import set_queue_rate
from contracts import names
from contracts.accounts import QueueRate
from operations.doctor import queues, temporal
from operations.doctor.examination import Check, examine
from operations.doctor.finding import Finding, Level, fail, is_healthy, ok, warn
from operations.limits import LimitsShown
from operations.queue_limits import prepare_limits
from operations.schedules import ensure_schedules
from runtime.bootstrap import bootstrap
from runtime.codec import DecryptionError
from runtime.settings import Settings
from runtime.temporal import DATA_CONVERTER
from tests.doctor.installation import levels, settings_of, the

DAY_S = 86_400


@pytest.fixture
async def bare(temporal_client: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client of a new namespace in which nothing is prepared, and to which the command line's variables lead."""
    name = f"doctor-{uuid4()}"
    request = RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=Duration(seconds=DAY_S))
    await temporal_client.workflow_service.register_namespace(request)
    address = temporal_client.service_client.config.target_host
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", name)
    return await Client.connect(address, namespace=name, data_converter=DATA_CONVERTER)


async def prepared(client: Client, settings: Settings) -> None:
    await bootstrap(client)
    async for _ in prepare_limits(client, settings):
        pass
    await ensure_schedules(client, settings)


@asynccontextmanager
async def working(client: Client, settings: Settings) -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(client, settings, stop))
    try:
        yield
    finally:
        stop.set()
        await running


async def test_an_unprepared_namespace(bare: Client, tmp_path: Path) -> None:
    found = await temporal.look(settings_of(tmp_path))
    assert levels(found) == {
        "temporal": Level.OK,
        "retention": Level.FAIL,
        "search attributes": Level.FAIL,
        "workers": Level.FAIL,
        "limits draw": Level.WARN,
        "limits main": Level.OK,
        "schedule store-retention": Level.FAIL,
        "alerts": Level.WARN,
    }
    assert "RequestId" in the(found, "search attributes").fact
    assert bare.namespace


async def test_a_prepared_namespace_with_a_worker(bare: Client, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    await prepared(bare, settings)
    async with working(bare, settings):
        while levels(found := await temporal.look(settings))["workers"] is not Level.OK:
            await asyncio.sleep(0.1)
    assert {finding.subject for finding in found if finding.level is not Level.OK} <= {"alerts", "limits draw"}
    await bare.get_schedule_handle(names.RETENTION_WORKFLOW).delete()


async def test_a_limit_that_was_set_live_and_a_schedule_that_was_paused(bare: Client, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    await prepared(bare, settings)
    queue = QueueRate(queue=names.callbacks_queue("main"), rate_per_second=1, reason="ada: slow Odoo")
    await set_queue_rate(bare, queue)
    schedule = bare.get_schedule_handle(names.RETENTION_WORKFLOW)
    await schedule.pause()
    found = await temporal.look(settings)
    assert "1 a second" in the(found, "limits main").fact
    assert the(found, "limits main").level is Level.WARN
    assert "paused" in the(found, "schedule store-retention").fact
    await schedule.unpause()

    def hurried(known: ScheduleUpdateInput) -> ScheduleUpdate:
        changed: Schedule = known.description.schedule
        changed.policy.catchup_window = timedelta(hours=1)
        return ScheduleUpdate(changed)

    await schedule.update(hurried)
    changed = the(await temporal.look(settings), "schedule store-retention")
    assert (changed.level, "not as configured" in changed.fact) == (Level.WARN, True)
    await schedule.delete()


async def test_a_namespace_that_is_not_there(bare: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_NAMESPACE", f"not-{bare.namespace}")
    assert levels(await temporal.look(settings_of(tmp_path))) == {"temporal": Level.OK, "namespace": Level.FAIL}


async def test_a_temporal_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:9")
    (found,) = await temporal.look(settings_of(tmp_path))
    assert (found.level, "TEMPORAL_ADDRESS" in found.remedy) == (Level.FAIL, True)


@pytest.mark.parametrize(("kept", "level"), [(1, Level.FAIL), (3, Level.WARN), (30, Level.OK)])
def test_retention_is_longer_than_odoo_repeats(kept: int, level: Level) -> None:
    assert temporal.retention_verdict(kept * DAY_S, 2 * DAY_S).level is level


@pytest.mark.parametrize(
    ("version", "level"), [("1.28.4", Level.WARN), ("1.29.0", Level.OK), ("1.32.0", Level.OK), ("", Level.OK)]
)
def test_an_old_server_is_told(version: str, level: Level) -> None:
    assert temporal.server_verdict("here", version, "1.35.0").level is level


def test_a_queue_without_a_worker_is_named() -> None:
    (found,) = queues.workers_verdict({"orchestrator": 2, "images.draw": 0})
    assert (found.level, "images.draw" in found.fact) == (Level.FAIL, True)


@pytest.mark.parametrize("state", ["cooldown, 7 s left", "circuit open", "quota exhausted", "not started"])
def test_a_service_that_does_not_serve_is_told(state: str) -> None:
    assert queues.limits_verdict(LimitsShown(name="draw", kind="service", state=state)).level is Level.WARN


async def test_a_check_that_hangs_or_breaks_hides_no_other() -> None:
    async def hangs(_: None) -> list[Finding]:
        await asyncio.Event().wait()
        return []

    async def breaks(_: None) -> list[Finding]:
        raise ZeroDivisionError("made up")

    async def works(_: None) -> list[Finding]:
        return [ok("works", "fine")]

    found = await examine([Check("hangs", hangs, 0.05), Check("breaks", breaks), Check("works", works)], None)
    assert levels(found) == {"hangs": Level.FAIL, "breaks": Level.FAIL, "works": Level.OK}


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (DecryptionError("the key 1a2b is missing"), "encryption.keys"),
        (RPCError("no", RPCStatusCode.PERMISSION_DENIED, b""), "identity"),
        (RPCError("shard status unknown", RPCStatusCode.UNAVAILABLE, b""), "Temporal's own log"),
    ],
)
async def test_what_stops_a_check_has_its_own_remedy(error: Exception, remedy: str) -> None:
    async def stopped(_: None) -> list[Finding]:
        raise error

    (found,) = await examine([Check("stopped", stopped)], None)
    assert found.remedy is not None
    assert (found.level, remedy in found.remedy) == (Level.FAIL, True)


def test_a_warning_is_a_problem_only_where_it_is_asked() -> None:
    assert is_healthy([ok("a", "b"), warn("a", "b", "c")], strict=False)
    assert not is_healthy([ok("a", "b"), warn("a", "b", "c")], strict=True)
    assert not is_healthy([fail("a", "b", "c")], strict=False)
