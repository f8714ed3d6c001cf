from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

from activities.ledger import Ledger, LedgerActivities
from activities.records import Marker
from activities.services.registry import KINDS
from contracts.errors import FailureClass
from contracts.requests import Generation, ImageRequest
from contracts.spend import CompactLedgerInput, SpendState, calls_of
from runtime.blobs import LocalBlobStore
from runtime.temporal import DATA_CONVERTER
from tests.activities.desk import Desk, generate_input, made, refused, settled
from tests.activities.doubles import INLINE, PICTURE, FailingBlobStore, Fault, KilledError
from tests.activities.series import Series
from tests.services.calls import settings
from tests.services.scripted import Script, ScriptedServer

DAY = date(2030, 1, 1)
BEGUN = datetime(2030, 1, 1, 23, 59, tzinfo=UTC)
UNKNOWN = refused(FailureClass.OUTCOME_UNKNOWN)


def marker(call: str = "c1", begun: datetime = BEGUN) -> Marker:
    """The marker of a call."""
    return Marker(call=call, sent_at=begun.timestamp(), gives_up_at=0)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(LocalBlobStore(tmp_path))


async def written(ledger: Ledger, *states: SpendState, call: str = "c1", begun: datetime = BEGUN) -> None:
    """These entries of one call."""
    for state in states:
        await ledger.note(generate_input(), marker(call, begun), state)


def files(root: Path) -> list[str]:
    """The names of all objects."""
    return sorted(path.name for path in root.rglob("*") if path.is_file())


async def test_a_served_request_leaves_its_way_in_the_ledger(desk: Desk) -> None:
    request = ImageRequest(prompt="a fox", user_id="7", campaign_id="31")
    await desk.generating(generate_input(request=request, odoo="main")).attempt()
    assert await desk.states() == [SpendState.INTENT, SpendState.ACCEPTED, SpendState.STORED]
    (call,) = await desk.spent()
    entry = call.entry
    assert (call.standing, call.images, entry.number) == ("paid", 1, 1)
    assert (entry.user_id, entry.campaign_id, entry.odoo, entry.route) == ("7", "31", "main", "event")
    assert (entry.service, entry.request_id, entry.provider_request_id) == ("flux", "request-7", "req-1")


async def test_a_refused_call_is_not_counted_as_paid_and_the_next_one_is(desk: Desk) -> None:
    desk.service.submits = [refused(FailureClass.RATE_LIMITED), INLINE]
    await settled(desk.generating())
    assert [call.standing for call in await desk.spent()] == ["unpaid", "paid"]


async def test_each_call_of_a_generation_counts_by_itself(desk: Desk) -> None:
    desk.settings, desk.service.submits = {"on_outcome_unknown": "retry_once"}, [UNKNOWN, INLINE]
    await settled(desk.generating())
    calls = await desk.spent()
    assert [(call.standing, call.entry.number) for call in calls] == [("unknown", 1), ("paid", 2)]


async def test_a_repeated_attempt_writes_nothing_twice(desk: Desk) -> None:
    desk.service.submits = [UNKNOWN]
    for _ in range(3):
        await settled(desk.generating())
    assert await desk.states() == [SpendState.INTENT, SpendState.UNKNOWN]


async def test_without_its_intent_in_the_ledger_a_call_is_not_made(desk: Desk) -> None:
    desk.blobs = FailingBlobStore(desk.root, {2: Fault.REFUSED})
    tried = desk.generating()
    assert (await tried.failing()).type == "Internal"
    assert desk.service.submitted == []
    assert (await tried.attempt()).generated
    assert [call.standing for call in await desk.spent()] == ["unpaid", "paid"]


async def test_a_ledger_that_cannot_be_written_costs_no_image(desk: Desk) -> None:
    class Full(LocalBlobStore):
        async def create(self, key: str, data: bytes) -> bool:
            if key.startswith("ledger/") and not key.endswith("-intent.json"):
                raise OSError(28, "No space left on device")
            return await super().create(key, data)

    desk.blobs = Full(desk.root)
    assert await desk.images((await desk.generating().attempt()).generated) == [PICTURE]
    assert [call.standing for call in await desk.spent()] == ["unknown"]


async def test_all_entries_of_a_call_lie_under_the_day_of_the_call(ledger: Ledger) -> None:
    await written(ledger, SpendState.INTENT, SpendState.STORED)
    assert await ledger.days() == [DAY]
    assert [entry.state for entry in await ledger.entries(DAY)] == [SpendState.INTENT, SpendState.STORED]
    assert await ledger.entries(DAY + timedelta(days=1)) == []


async def test_a_finished_day_becomes_one_object_with_the_same_entries(ledger: Ledger, tmp_path: Path) -> None:
    await written(ledger, SpendState.INTENT, SpendState.STORED)
    await written(ledger, SpendState.INTENT, call="c2")
    before = await ledger.entries(DAY)
    assert await ledger.compact(DAY) == 3
    (name,) = files(tmp_path)
    assert name.endswith(".jsonl")
    assert await ledger.entries(DAY) == before
    assert await ledger.compact(DAY) == 0, "nothing is left to do"
    assert files(tmp_path) == [name]


async def test_late_and_repeated_entries_join_a_compacted_day(ledger: Ledger, tmp_path: Path) -> None:
    await written(ledger, SpendState.INTENT, SpendState.UNKNOWN)
    await ledger.compact(DAY)
    await written(ledger, SpendState.INTENT, SpendState.STORED)
    assert [call.standing for call in calls_of(await ledger.entries(DAY))] == ["paid"]
    assert await ledger.compact(DAY) == 3
    assert len(files(tmp_path)) == 1
    assert len(await ledger.entries(DAY)) == 3


async def test_two_compactions_at_once_and_readers_meanwhile_lose_nothing(ledger: Ledger) -> None:
    for number in range(40):
        await written(ledger, SpendState.INTENT, call=f"c{number}")

    async def reading() -> int:
        return len(await ledger.entries(DAY))

    done = await asyncio.gather(ledger.compact(DAY), reading(), ledger.compact(DAY), reading(), reading())
    assert [done[1], done[3], done[4]] == [40, 40, 40]
    assert len(await ledger.entries(DAY)) == 40


@pytest.mark.parametrize("fault", Fault)
async def test_a_compaction_that_breaks_off_loses_nothing(tmp_path: Path, fault: Fault) -> None:
    whole = Ledger(LocalBlobStore(tmp_path))
    await written(whole, SpendState.INTENT, SpendState.STORED)
    before = await whole.entries(DAY)
    for position in range(2, 5):
        broken = Ledger(FailingBlobStore(tmp_path, {position: fault}))
        with contextlib.suppress(OSError, KilledError):
            await broken.compact(DAY)
        assert await whole.entries(DAY) == before


async def test_what_cannot_be_read_is_passed_over_and_kept(ledger: Ledger, tmp_path: Path) -> None:
    await written(ledger, SpendState.INTENT, SpendState.STORED)
    broken = tmp_path / "ledger" / str(DAY) / "ab" / "broken.json"
    broken.write_bytes(b"{")
    assert await ledger.compact(DAY) == 2
    assert broken.exists()
    assert len(await ledger.entries(DAY)) == 2


async def test_the_activity_leaves_the_day_alone_that_is_not_over(ledger: Ledger, tmp_path: Path) -> None:
    today = datetime.now(UTC)
    await written(ledger, SpendState.INTENT, SpendState.STORED, begun=today - timedelta(days=1))
    await written(ledger, SpendState.INTENT, SpendState.STORED, begun=today)
    activities = LedgerActivities(ledger)
    compacted = await ActivityEnvironment().run(activities.compact_ledger, CompactLedgerInput())
    assert compacted == 2
    assert [Path(name).suffix for name in files(tmp_path)].count(".jsonl") == 1
    assert len(files(tmp_path)) == 3


async def test_a_call_is_known_to_be_sent_once_its_body_has_left(tmp_path: Path) -> None:
    async with ScriptedServer().running() as server:
        server.play(Script(status=429, body=b'{"error": {"code": "rate_limit_exceeded", "message": "later"}}'))
        configured = settings(server.url, kind="flux_lora")
        service = KINDS["flux_lora"]("flux", configured)
        activities = made({"flux": service}, {"flux": configured}, LocalBlobStore(tmp_path))
        call = generate_input(policy=generate_input().policy.model_copy(update={"timeout_s": 10}))
        await Series(lambda: activities.generation.generate_image(call)).failing()
        await service.aclose()
    states = [entry.state for entry in await Ledger(LocalBlobStore(tmp_path)).entries(datetime.now(UTC).date())]
    assert states == [SpendState.INTENT, SpendState.SENT, SpendState.REFUSED]


async def test_what_was_spent_is_counted_without_a_label_from_a_request(
    temporal_server: str, desk: Desk, tmp_path: Path
) -> None:
    buffer, queue = MetricBuffer(10_000), f"counted-{uuid.uuid4()}"
    runtime = Runtime(telemetry=TelemetryConfig(metrics=buffer))
    client = await Client.connect(temporal_server, data_converter=DATA_CONVERTER, runtime=runtime)
    desk.settings = {"price": "0.04", "currency": "EUR"}
    async with Worker(client, task_queue=queue, activities=[desk.activities.generate_image]):
        await client.execute_activity(
            "generate-image",
            generate_input(),
            id=queue,
            task_queue=queue,
            result_type=Generation,
            start_to_close_timeout=timedelta(seconds=60),
        )
    seen = [update for update in buffer.retrieve_updates() if update.metric.name.startswith("orchestrator_")]
    ours = [(update.metric.name, update.value, _labels(update.attributes)) for update in seen]
    assert sorted(ours) == [
        ("orchestrator_image_calls", 1, ["flux", "accepted"]),
        ("orchestrator_image_calls", 1, ["flux", "intent"]),
        ("orchestrator_image_calls", 1, ["flux", "stored"]),
        ("orchestrator_spend_millionths", 40_000, ["flux", "EUR"]),
    ]


def _labels(attributes: Mapping[str, object]) -> list[object]:
    return [attributes[name] for name in ("service", "state", "currency") if name in attributes]
