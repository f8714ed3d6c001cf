"""The workflow `reconciliation` and its schedule: what it asks for, in which order, and what it says of itself."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from temporalio import activity
from temporalio.client import (
    Client,
    ScheduleActionExecutionStartWorkflow,
    ScheduleOverlapPolicy,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.worker import Worker

from contracts import names, search_attributes
from contracts.reconciliation import (
    Comparison,
    Finding,
    Kind,
    ReconcileOrder,
    ReconcilePlan,
    ReconcileReport,
    ReconcileTask,
    Repair,
    Repaired,
    RepairOrder,
)
from contracts.requests import DeliverInput, Delivery, DeliveryReceipt, ImageOutcome, RequestReference
from operations.schedules import RECURRING, ensure_schedules
from runtime.settings import Settings
from tests.temporal_server import connected, running_server
from tests.workflows.harness import IMAGES, POLICY
from workflows import WORKFLOWS, sandbox

_T = TypeVar("_T")
Handle = WorkflowHandle[Any, ReconcileReport]


@pytest.fixture(scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """Of a server of its own: the queues and schedules have one name each."""
    async with running_server(tmp_path_factory.mktemp("reconciliation")) as address:
        yield await connected(address)


def finding(number: int = 1, **changes: Any) -> Finding:
    given = {"kind": Kind.NEVER_STARTED, "request_id": f"r-{number}", "detail": "`lost`", "repair": Repair.RESEND}
    return Finding(**{**given, **changes})


def task(odoo: str = "main", **changes: Any) -> ReconcileTask:
    given = {"since_s": 60.0, "grace_s": 0.0, "batch": 10, "repair": True, "repairs": 10, "database": f"db-{odoo}"}
    return ReconcileTask(**{"odoo": odoo, **given, **changes})


def compared(*findings: Finding) -> Comparison:
    return Comparison(asked=4, handled=5, counts={Kind.NEVER_STARTED: len(findings)}, findings=findings)


@dataclass
class Script:
    """What the activities answer, and what they were asked."""

    plan: tuple[ReconcileTask, ...] = (task(),)
    compared: dict[str, Comparison | Exception] = field(default_factory=dict)
    repaired: dict[str, Repaired | Exception] = field(default_factory=dict)
    delivery: Exception | None = None
    orders: list[RepairOrder] = field(default_factory=list)
    letters: list[DeliverInput] = field(default_factory=list)

    @activity.defn(name=names.PLAN_RECONCILIATION)
    async def plan_reconciliation(self, order: ReconcileOrder) -> ReconcilePlan:
        if order.odoos == ("nobody",):
            raise ApplicationError("odoos.nobody is unknown", non_retryable=True)
        return ReconcilePlan(tasks=self.plan)

    @activity.defn(name=names.COMPARE_WITH_ODOO)
    async def compare_with_odoo(self, one: ReconcileTask) -> Comparison:
        return _given(self.compared.get(one.odoo, Comparison()))

    @activity.defn(name=names.REPAIR_FINDING)
    async def repair_finding(self, order: RepairOrder) -> Repaired:
        self.orders.append(order)
        return _given(self.repaired.get(order.finding.request_id, Repaired(done=True, said="Done.")))

    @activity.defn(name=names.DELIVER)
    async def deliver_callback(self, letter: DeliverInput) -> DeliveryReceipt:
        self.letters.append(letter)
        if self.delivery is not None:
            raise self.delivery
        return DeliveryReceipt(http_status=200)


def _given(answer: _T | Exception) -> _T:
    if isinstance(answer, Exception):
        raise answer
    return answer


@asynccontextmanager
async def working(client: Client, script: Script) -> AsyncIterator[None]:
    chores: list[Callable[..., Any]] = [script.plan_reconciliation, script.compare_with_odoo, script.repair_finding]
    async with (
        Worker(client, task_queue=names.WORKFLOW_QUEUE, workflows=WORKFLOWS, workflow_runner=sandbox()),
        Worker(client, task_queue=names.MAINTENANCE_QUEUE, activities=chores),
        Worker(client, task_queue=names.callbacks_queue("main"), activities=[script.deliver_callback]),
    ):
        yield


async def start(client: Client, order: ReconcileOrder) -> Handle:
    return await client.start_workflow(
        names.RECONCILIATION_WORKFLOW,
        order,
        id=f"{names.RECONCILIATION_WORKFLOW}-{uuid.uuid4()}",
        task_queue=names.WORKFLOW_QUEUE,
        result_type=ReconcileReport,
    )


async def run(client: Client, script: Script) -> ReconcileReport:
    async with working(client, script):
        handle = await start(client, ReconcileOrder())
        return await handle.result()


async def test_both_sides_agree(client: Client) -> None:
    script = Script()
    async with working(client, script):
        handle = await start(client, ReconcileOrder())
        report = await handle.result()
        details: str = await handle.query("__temporal_workflow_metadata", result_type=dict)
    assert (report.outcome, report.left, script.orders) == ("consistent", 0, [])
    described = await handle.describe()
    assert described.typed_search_attributes.get(search_attributes.OUTCOME) == "consistent"
    assert described.typed_search_attributes.get(search_attributes.ODOO_DATABASE) == "db-main"
    assert await described.memo_value(names.MEMO_RECONCILIATION) == report.counts()
    assert "both sides agree" in str(details)


async def test_what_is_found_is_repaired_and_told(client: Client) -> None:
    script = Script(compared={"main": compared(finding(1), finding(2, repair=None), finding(3))})
    script.repaired["r-3"] = Repaired(done=False, said="Refused.")
    async with working(client, script):
        handle = await start(client, ReconcileOrder())
        report = await handle.result()
        details: str = await handle.query("__temporal_workflow_metadata", result_type=dict)
    assert [(one.repaired, one.said) for one in report.odoos[0].results] == [
        (True, "Done."),
        (False, None),
        (False, "Refused."),
    ]
    assert (report.outcome, report.left) == ("findings_left", 2)
    assert [order.finding.request_id for order in script.orders] == ["r-1", "r-3"]
    assert "**3 asked, but never started**, 1 repaired" in str(details)
    assert "lost' Refused.`" in str(details).replace("\\", "")


async def test_what_needs_an_order_is_left_alone_by_the_clock(client: Client) -> None:
    found: dict[str, Comparison | Exception] = {"main": compared(finding(ordered_only=True))}
    by_clock, by_order = Script(compared=found), Script(compared=found, plan=(task(ordered=True),))
    assert (await run(client, by_clock)).left == 1
    assert (await run(client, by_order)).left == 0
    assert (len(by_clock.orders), len(by_order.orders)) == (0, 1)


@pytest.mark.parametrize(("changes", "repairs"), [({"repair": False}, 0), ({"repairs": 2}, 2)])
async def test_repairs_are_limited(changes: dict[str, Any], repairs: int, client: Client) -> None:
    script = Script(plan=(task(**changes),), compared={"main": compared(*map(finding, range(5)))})
    report = await run(client, script)
    assert (len(script.orders), report.left) == (repairs, 5 - repairs)


async def test_a_repair_that_fails_stops_no_other(client: Client) -> None:
    script = Script(compared={"main": compared(finding(1), finding(2))})
    script.repaired["r-1"] = ApplicationError("Odoo refused: no", non_retryable=True)
    first, second = (await run(client, script)).odoos[0].results
    assert (first.repaired, first.said, second.repaired) == (False, "Odoo refused: no", True)


@pytest.mark.parametrize("delivery", [None, ApplicationError("HTTP 401", non_retryable=True)])
async def test_a_letter_is_posted_on_the_queue_of_its_odoo(delivery: Exception | None, client: Client) -> None:
    letter = DeliverInput(
        reference=RequestReference(request_id="r-1", dialect="event"),
        route="event",
        odoo="main",
        outcome=ImageOutcome(generated=IMAGES),
        delivery=Delivery(number=7, envelope="plain", images="inline", expires_at=0),
        policy=POLICY,
        traceparent="",
    )
    script = Script(compared={"main": compared(finding())}, delivery=delivery)
    script.repaired["r-1"] = Repaired(done=True, said="Posted.", letter=letter)
    (result,) = (await run(client, script)).odoos[0].results
    assert script.letters == [letter]
    assert (result.repaired, result.said) == ((True, "Posted.") if delivery is None else (False, "HTTP 401"))


async def test_an_odoo_that_cannot_be_asked_stops_no_other(client: Client) -> None:
    script = Script(plan=(task("main"), task("other")), compared={"other": compared(finding())})
    script.compared["main"] = ApplicationError("Odoo refused: AccessDenied", non_retryable=True)
    report = await run(client, script)
    assert [one.problem for one in report.odoos] == ["Odoo refused: AccessDenied", None]
    assert (report.outcome, report.odoos[1].left) == ("not_compared", 0)


async def test_an_unknown_odoo_fails_the_run(client: Client) -> None:
    async with working(client, Script()):
        handle = await start(client, ReconcileOrder(odoos=("nobody",)))
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    assert "odoos.nobody is unknown" in str(failed.value.cause.__cause__)


def settings(tmp_path: Path, **reconcile: Any) -> Settings:
    (tmp_path / "key").write_text("made-up", encoding="utf-8")
    rpc = {"kind": "json2", "secret": f"file:{tmp_path / 'key'}"}
    main = {"database": "main", "base_url": "https://odoo.example", "rpc": rpc, "reconcile": reconcile}
    return Settings.model_validate({"odoos": {"main": main}, "reconciliation": {"every_minutes": 5}})


async def test_the_schedule_is_there_where_an_odoo_can_be_asked(client: Client, tmp_path: Path) -> None:
    assert names.RECONCILIATION_WORKFLOW in await ensure_schedules(client, settings(tmp_path))
    handle = client.get_schedule_handle(names.RECONCILIATION_WORKFLOW)
    known = (await handle.describe()).schedule
    assert known.spec.intervals[0].every == timedelta(minutes=5)
    assert known.policy.overlap is ScheduleOverlapPolicy.SKIP
    assert await ensure_schedules(client, settings(tmp_path)) == ()
    await handle.trigger()
    async with working(client, Script()):
        assert await _scheduled(client) == ReconcileOrder()
    await ensure_schedules(client, settings(tmp_path, enabled=False))
    with pytest.raises(RPCError):
        await handle.describe()
    assert await ensure_schedules(client, Settings()) == ()
    for job in RECURRING:
        await client.get_schedule_handle(job.workflow).delete()


async def _scheduled(client: Client) -> ReconcileOrder:
    """The input of the run that the schedule has started, once it has ended."""
    handle = client.get_schedule_handle(names.RECONCILIATION_WORKFLOW)
    while not (started := (await handle.describe()).info.recent_actions):
        await asyncio.sleep(0.05)
    action = started[0].action
    assert isinstance(action, ScheduleActionExecutionStartWorkflow)
    run = client.get_workflow_handle(action.workflow_id, run_id=action.first_execution_run_id)
    await run.result()
    first = (await run.fetch_history()).events[0]
    payloads = first.workflow_execution_started_event_attributes.input.payloads
    order: ReconcileOrder
    (order,) = await client.data_converter.decode(payloads, [ReconcileOrder])
    return order
