"""Reading both sides: letters that are exactly those of before, pages, what goes to the store, refusals in one line."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.odoo.connections import OdooConnections
from activities.odoo.errors import OdooRefusedError, refused
from activities.odoo.port import MethodCalls, Values
from activities.reconciliation import ReconciliationActivities
from activities.reconciling_odoo import REQUEST, OdooSide
from activities.reconciling_repairs import RESEND_BUTTON
from activities.reconciling_requests import LETTER_POLICY, RequestSide
from contracts import names
from contracts.callbacks import Verdict
from contracts.decisions import Redrive
from contracts.errors import FailureClass
from contracts.reconciliation import (
    FOLDER,
    MOST_NAMED,
    Comparison,
    Finding,
    Kind,
    ReconcileOrder,
    ReconcileTask,
    Repair,
    RepairOrder,
)
from runtime.blobs import LocalBlobStore
from runtime.settings import Settings
from tests.workflows.harness import Bench, Doubles, bench, failed, parked, policies

Row = dict[str, Any]
TASK = ReconcileTask(
    odoo="main", database="acme", since_s=3600, grace_s=0, batch=50, repair=True, repairs=100, ordered=False
)


@dataclass
class MemoryOdoo(MethodCalls):
    """Tables of records that understand the conditions of a reconciliation."""

    tables: dict[str, dict[int, Row]] = field(default_factory=dict)
    pages: list[int] = field(default_factory=list)
    """How many records each `read` named."""
    refusal: OdooRefusedError | None = None

    async def call(self, model: str, method: str, ids: Sequence[int] | None, arguments: Values) -> JsonValue:
        if self.refusal is not None:
            raise self.refusal
        rows = self.tables.setdefault(model, {})
        if method == "search":
            domain: Any = arguments["domain"]
            return [number for number, row in rows.items() if all(_holds(row, *each) for each in domain)]
        if method == RESEND_BUTTON:
            for number in ids or ():
                rows[number]["state"] = "queued"
            return list(ids or ())
        assert method == "read"
        self.pages.append(len(ids or ()))
        return [{"id": number, **rows[number]} for number in ids or () if number in rows]

    def add(self, model: str, **values: Any) -> int:
        rows = self.tables.setdefault(model, {})
        rows[len(rows) + 1] = values
        return len(rows)

    def ask(self, key: str, state: str = "sent", **changes: Any) -> int:
        stamps = {"queued_at": "2026-01-01 00:00:00", "sent_at": "2026-01-01 00:00:00", "write_date": "2099-01-01"}
        empty = {"result_digest": False, "error_code": False, "image_ids": []}
        return self.add(REQUEST, **{"request_key": key, "state": state, **stamps, **empty, **changes})


def _holds(row: Row, name: str, operator: str, value: Any) -> bool:
    tests = {"=": row[name] == value, "!=": row[name] != value, ">=": row[name] >= value if operator == ">=" else False}
    return row[name] in value if operator == "in" else tests[operator]


class Connections(OdooConnections):
    """Leads to an Odoo in memory."""

    def __init__(self, odoo: MemoryOdoo) -> None:
        super().__init__({}, {})
        self._odoo = odoo

    def port(self, name: str, timeout_s: float) -> MemoryOdoo:
        return self._odoo


def settings(tmp_path: Path, **reconcile: Any) -> Settings:
    (tmp_path / "key").write_text("made-up", encoding="utf-8")
    key = f"file:{tmp_path / 'key'}"
    asked = {"database": "acme", "base_url": "http://127.0.0.1:9", "rpc": {"kind": "json2", "secret": key}}
    route = {"path": "x", "dialect": "event", "odoo": "main", "services": ["flux"], "callback": {"path": "/x"}}
    flux = {"kind": "flux_lora", "base_url": "http://127.0.0.1:9", "auth": {"kind": "bearer", "secret": key}}
    return Settings.model_validate(
        {
            "odoos": {
                "main": {**asked, "reconcile": reconcile},
                "off": {**asked, "reconcile": {"enabled": False}},
                "mute": {"database": "mute", "base_url": "http://127.0.0.1:9"},
            },
            "services": {"flux": {**flux, "allow_private_hosts": True}},
            "routes": {"event": route},
        }
    )


@dataclass(frozen=True)
class Desk:
    """The activities with an Odoo in memory and a store."""

    odoo: MemoryOdoo
    store: LocalBlobStore
    activities: ReconciliationActivities
    environment: ActivityEnvironment

    async def compare(self, **changes: Any) -> Comparison:
        return await self.environment.run(self.activities.compare_with_odoo, TASK.model_copy(update=changes))


@pytest.fixture
def desk(tmp_path: Path, temporal_client: Client) -> Desk:
    odoo, store = MemoryOdoo(), LocalBlobStore(tmp_path / "store")
    activities = ReconciliationActivities(settings(tmp_path), store, Connections(odoo))
    return Desk(odoo, store, activities, ActivityEnvironment(client=temporal_client))


async def test_requests_are_read_in_pages_and_findings_beyond_the_named_go_to_the_store(desk: Desk) -> None:
    keys = {str(uuid.uuid4()) for _ in range(230)}
    for key in keys:
        desk.odoo.ask(key)
    comparison = await desk.compare()
    assert (comparison.asked, comparison.counts, len(comparison.findings)) == (
        230,
        {Kind.NEVER_STARTED: 230},
        MOST_NAMED,
    )
    assert max(desk.odoo.pages) == TASK.batch
    assert comparison.report is not None
    data = await desk.store.read(comparison.report)
    assert {one["request_id"] for one in json.loads(data or b"")} == keys
    assert len(comparison.model_dump_json()) < 50_000


async def test_where_nothing_is_found_nothing_is_stored(desk: Desk) -> None:
    desk.odoo.ask("r-1", "queued")
    comparison = await desk.compare()
    assert (comparison.asked, comparison.counts, comparison.report) == (1, {}, None)
    assert [entry.key async for entry in desk.store.list("")] == []


async def test_old_reports_go(desk: Desk, tmp_path: Path) -> None:
    for name, age_s in (("old", 31 * 86_400), ("young", 29 * 86_400)):
        key, then = f"{FOLDER}/reports/{name}.json", time.time() - age_s
        await desk.store.write(key, b"[]")
        os.utime(tmp_path / "store" / key, (then, then))
    await desk.compare()
    assert [entry.key async for entry in desk.store.list(FOLDER)] == [f"{FOLDER}/reports/young.json"]


@pytest.mark.parametrize(
    ("name", "message", "final", "said"),
    [
        (
            "odoo.exceptions.AccessDenied",
            "Access Denied",
            True,
            "Odoo refused: odoo.exceptions.AccessDenied: Access Denied",
        ),
        ("psycopg2.OperationalError", "gone", False, "Odoo refused: psycopg2.OperationalError: gone"),
    ],
)
async def test_an_odoo_that_refuses_is_said_in_one_line(
    name: str, message: str, final: bool, said: str, desk: Desk
) -> None:
    desk.odoo.refusal = refused(name, message, [])
    with pytest.raises(ApplicationError) as error:
        await desk.compare()
    assert (error.value.message, error.value.non_retryable) == (said, final)


async def test_an_odoo_without_the_addon_is_noted(desk: Desk) -> None:
    desk.odoo.refusal = OdooRefusedError(Verdict.FINAL, "Odoo refused: builtins.KeyError: 'ai.image.request'")
    comparison = await desk.compare()
    assert comparison.counts == {}
    assert "no addon of ours" in comparison.notes[0]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (ReconcileOrder(), {"since_s": 7200.0, "grace_s": 60.0, "repair": False, "ordered": False}),
        (ReconcileOrder(by="x", since_s=5, repair=True), {"since_s": 5.0, "repair": True, "ordered": True}),
        (ReconcileOrder(odoos=("main",)), {"odoo": "main", "database": "acme"}),
    ],
)
async def test_the_plan_is_the_settings_but_for_what_is_ordered(
    order: ReconcileOrder, expected: Mapping[str, Any], tmp_path: Path
) -> None:
    chosen = settings(tmp_path, window_hours=2, grace_minutes=1, repair=False)
    activities = ReconciliationActivities(chosen, LocalBlobStore(tmp_path), Connections(MemoryOdoo()))
    plan = await ActivityEnvironment().run(activities.plan_reconciliation, order)
    (task,) = plan.tasks
    assert task.model_dump().items() >= expected.items()


@pytest.mark.parametrize("name", ["off", "mute", "unknown"])
async def test_an_odoo_that_cannot_be_asked_is_named(name: str, desk: Desk) -> None:
    with pytest.raises(ApplicationError, match=rf"odoos\.{name} is unknown, has no rpc, or reconcile.enabled is false"):
        await desk.environment.run(desk.activities.plan_reconciliation, ReconcileOrder(odoos=(name,)))


async def test_what_is_not_to_be_repaired_is_left_alone(desk: Desk) -> None:
    key = str(uuid.uuid4())
    record = desk.odoo.ask(key)
    finding = Finding(kind=Kind.NEVER_STARTED, request_id=key, detail="", repair=Repair.RESEND, record=record)
    by_hand = finding.model_copy(update={"ordered_only": True})

    async def repair(one: Finding, **changes: Any) -> bool:
        order = RepairOrder(task=TASK.model_copy(update=changes), finding=one)
        return (await desk.environment.run(desk.activities.repair_finding, order)).done

    assert not await repair(by_hand)
    assert desk.odoo.tables[REQUEST][record]["state"] == "sent"
    assert await repair(finding)
    assert desk.odoo.tables[REQUEST][record]["state"] == "queued"
    desk.odoo.tables[REQUEST][record]["state"] = "sent"
    assert not await repair(finding)
    assert desk.odoo.tables[REQUEST][record]["state"] == "sent"
    assert await repair(by_hand, ordered=True)
    assert desk.odoo.tables[REQUEST][record]["state"] == "queued"
    assert await repair(finding, ordered=True)


# --- letters --------------------------------------------------------------------------------------------------------


async def letter_of(bench: Bench, tmp_path: Path) -> Any:
    """The letter that a redelivery would post for the bench's request."""
    name = f"event/r-{bench.tag}"
    described = await bench.client.get_workflow_handle(name).describe()
    side = RequestSide(bench.client, settings(tmp_path), "main")
    finding = Finding(kind=Kind.NEVER_DELIVERED, request_id="", detail="", workflow_id=name, run_id=described.run_id)
    return await side.letter(finding)


@pytest.mark.parametrize(
    ("doubles", "changes"),
    [
        (Doubles(), {}),
        (Doubles(deliver=[failed(FailureClass.CALLBACK_UNDELIVERABLE), None]), {}),
        (Doubles(), {"policies": policies(images="url")}),
        (Doubles(generate=[failed(FailureClass.CONTENT_REJECTED)]), {}),
        (Doubles(), {"request": None, "problem": "prompt is missing"}),
    ],
    ids=["quick", "second", "url", "rejected", "invalid"],
)
async def test_a_letter_is_the_one_that_was_posted(
    doubles: Doubles, changes: dict[str, Any], temporal_client: Client, tmp_path: Path
) -> None:
    async with bench(temporal_client, doubles) as running:
        await (await running.start(**changes)).result()
        letter = await letter_of(running, tmp_path)
    posted = doubles.delivered[-1]
    assert letter.execution_id == (await running.client.get_workflow_handle(f"event/r-{running.tag}").describe()).run_id
    same = {"policy": LETTER_POLICY, "quick": False, "execution_id": letter.execution_id}
    if posted.quick:
        # Images are inline: when a URL would expire is in no body.
        same["delivery"] = posted.delivery.model_copy(update={"expires_at": 0})
    assert letter == posted.model_copy(update=same)


async def test_a_letter_after_a_redrive_has_the_number_of_the_success(temporal_client: Client, tmp_path: Path) -> None:
    doubles = Doubles(generate=[failed(FailureClass.QUOTA_EXHAUSTED), Doubles().generate[0]])
    async with bench(temporal_client, doubles) as running:
        handle = await running.start()
        await parked(handle)
        while not doubles.delivered:
            await parked(handle)
        await handle.execute_update(names.REDRIVE, Redrive(by="test", reason="credit added"))
        await handle.result()
        letter = await letter_of(running, tmp_path)
    told, posted = doubles.delivered
    assert posted.delivery.number == told.delivery.number + 1
    assert letter.delivery.number == posted.delivery.number
    assert letter.outcome == posted.outcome


async def test_a_request_that_was_terminated_has_no_letter(temporal_client: Client, tmp_path: Path) -> None:
    async with bench(temporal_client, Doubles(hold=names.GENERATE)) as running:
        handle = await running.start()
        await handle.terminate()
        running.doubles.release.set()
        assert await letter_of(running, tmp_path) is None


async def test_times_and_files_are_read_as_odoo_has_them(tmp_path: Path) -> None:
    odoo, store = MemoryOdoo(), LocalBlobStore(tmp_path)
    stamps = {"create_date": "2026-01-01 00:00:00", "write_date": "2026-01-01 00:00:00", "res_model": REQUEST}
    record = odoo.ask("r-1", "completed", image_ids=[1], sent_at=False, queued_at="1970-01-01 00:01:00")
    for name in ("r-1-1.png", "r-1-2.png", "my own.png"):
        odoo.add("ir.attachment", name=name, res_id=record, checksum="c", file_size=3, **stamps)
    odoo.add("ai.image.result", attachment_id=1, sha256="ab" * 32)
    (asked,) = await OdooSide(odoo, store).asked([record])
    assert asked.asked_at == 60.0
    assert [(each.number, each.sha256, each.altered) for each in asked.attachments] == [
        (1, "ab" * 32, False),
        (2, None, False),
    ]
