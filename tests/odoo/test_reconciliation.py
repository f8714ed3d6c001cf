"""Both sides of a real Odoo: every disagreement is brought about, found, repaired by two at once, and gone."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError

from contracts import names
from contracts.identity import workflow_id
from contracts.reconciliation import Finding, Kind, ReconcileOrder, ReconcileReport, Repair, Result
from contracts.requests import Outcome
from operations.odoo.bridge import REQUEST
from operations.odoo.installation import PASSWORD
from operations.odoo.rpc import OdooCallError
from runtime.blobs import LocalBlobStore
from runtime.environment import variable_name
from starter.app import create_app
from starter.wire.server import listening
from tests.odoo.running import Odoos, RunningOdoo, until
from tests.odoo.site import BY_NAME, Site, running_site
from tests.starter.at_work import png

BOT, TOKEN = "reconciler", "made-up-url-token-0123456789"
CHECKOUT = Path(__file__).resolve().parents[2]
FORGET = """
DELETE FROM ir_attachment WHERE res_model = 'ai.image.request' AND res_id = {0};
DELETE FROM ai_image_result WHERE request_id = {0};
UPDATE ai_image_request SET state = 'sent', result_digest = NULL, done_at = NULL WHERE id = {0}
"""
LONG_AGO = "UPDATE ai_image_request SET write_date = '2020-01-01' WHERE id = {}"
STRANGER = "INSERT INTO ai_image_result (request_id, attachment_id, sha256) VALUES ({}, {}, '{}')"
Json = dict[str, Any]


@dataclass(frozen=True)
class Sides:
    """An Odoo with the addon, one without, and the orchestrator of both."""

    site: Site
    stock: RunningOdoo
    front: str
    """Where a starter takes what the Odoo without the addon sends."""

    @property
    def odoo(self) -> RunningOdoo:
        return self.site.odoo

    async def completed(self) -> Json:
        """A request that has its image, as both sides say."""
        record = await self.site.ask()
        # The cron of an Odoo that was just started sleeps up to a minute; it may also be at it already.
        with contextlib.suppress(OdooCallError):
            await self.site.send_now()
        (row,) = await self.site.finished(record)
        assert row["state"] == "completed"
        await self.ended(workflow_id("event", row["request_key"]))
        return row

    async def ended(self, name: str) -> None:
        """Wait until visibility knows the end of a request."""
        query = f'WorkflowId = "{name}" AND Outcome = "{Outcome.COMPLETED}" AND ExecutionStatus = "Completed"'
        await until(lambda: self.counted(query), f"visibility does not know the end of {name}")

    async def counted(self, query: str) -> int:
        return (await self.site.client.count_workflows(query)).count

    async def run(self, **order: Any) -> ReconcileReport:
        """Reconcile once."""
        report: ReconcileReport = await self.site.client.execute_workflow(
            names.RECONCILIATION_WORKFLOW,
            ReconcileOrder(**{"odoos": ("demo",), "repair": False, "by": "test", **order}),
            id=f"{names.RECONCILIATION_WORKFLOW}-{uuid.uuid4()}",
            task_queue=names.WORKFLOW_QUEUE,
            result_type=ReconcileReport,
        )
        assert [one.problem for one in report.odoos] == [None] * len(report.odoos)
        return report

    async def found(self, **order: Any) -> list[Finding]:
        """What a run that repairs nothing finds."""
        return [result.finding for each in (await self.run(**order)).odoos for result in each.results]

    async def repaired(self, **order: Any) -> list[Result]:
        """Have two repair at once; the results of the one that was first to look."""
        both = await asyncio.gather(self.run(repair=True, **order), self.run(repair=True, **order))
        return max(([result for each in report.odoos for result in each.results] for report in both), key=len)

    async def lost_again(self, row: Json) -> Result:
        """Delete the image of a request, and have the schedule look at it."""
        (picture,) = await self.site.pictures(row["id"])
        await self.odoo.admin.call("ir.attachment", "unlink", [picture["attachment_id"][0]])
        (result,) = (await self.run(repair=True, by=None)).odoos[0].results
        return result

    def handle(self, row: Json) -> WorkflowHandle[Any, Any]:
        return self.site.client.get_workflow_handle(workflow_id("event", row["request_key"]))

    async def delete(self, row: Json) -> None:
        """Delete the workflow of a request; visibility may list it for a while."""
        name = workflow_id("event", row["request_key"])
        execution = WorkflowExecution(workflow_id=name)
        request = DeleteWorkflowExecutionRequest(namespace="default", workflow_execution=execution)
        await self.site.client.workflow_service.delete_workflow_execution(request)
        await until(lambda: self.gone(row), f"{name} is still there")

    async def gone(self, row: Json) -> bool:
        try:
            await self.handle(row).describe()
        except RPCError:
            return True
        return False


def variables(odoo: RunningOdoo, stock: RunningOdoo, directory: Path) -> Mapping[str, str]:
    """The settings beside those of the site."""
    for name, value in {"password": PASSWORD, "token": TOKEN}.items():
        (directory / name).write_text(value, encoding="utf-8")
    rpc = {"kind": "odoorpc", "secret": f"file:{directory / 'password'}"}
    route = {"odoo": "stock", "services": '["flux"]'}
    sections: Mapping[str, Mapping[str, str]] = {
        "odoos.demo": {"database": odoo.database},
        "odoos.demo.rpc": {**rpc, "user": BOT},
        "odoos.demo.reconcile": {"grace_minutes": "0", "batch": "2"},
        "odoos.stock": {"database": stock.database, "base_url": stock.url},
        "odoos.stock.rpc": {**rpc, "user": "admin"},
        "odoos.stock.reconcile": {"grace_minutes": "0"},
        "routes.draw": {**route, "path": "draw", "dialect": "odoo_action"},
        "routes.draw.auth": {"kind": "url_token", "secret": f"file:{directory / 'token'}"},
        "routes.draw.record.fields": {"prompt": "name"},
        "routes.draw.record.write_back": {"attachment": "true"},
        "routes.foreign": {**route, "path": "foreign", "dialect": "event"},
        "routes.foreign.callback": {"path": "/nowhere"},
    }
    return {variable_name(f"{where}.{key}"): value for where, keys in sections.items() for key, value in keys.items()}


async def make_bot(odoo: RunningOdoo) -> None:
    """An internal user with the addon's group for programs."""
    named = ["name", "in", ["group_user", "group_bot"]]
    found = await odoo.admin.search(
        "ir.model.data", ["model", "=", "res.groups"], named, fields=("complete_name", "res_id")
    )
    wanted = {"base.group_user", "ai_image_bridge.group_bot"}
    groups = [each["res_id"] for each in found if each["complete_name"] in wanted]
    assert len(groups) == 2
    await odoo.admin.create("res.users", name="Reconciler", login=BOT, password=PASSWORD, group_ids=[[6, 0, groups]])


@pytest.fixture(scope="module")
async def shared_sides(
    odoos: Odoos, stock_odoo: RunningOdoo, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Sides]:
    directory = tmp_path_factory.mktemp("sides")
    async with AsyncExitStack() as stack:
        odoo = await stack.enter_async_context(odoos.running("bridge"))
        await make_bot(odoo)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in variables(odoo, stock_odoo, directory).items():
            patch.setenv(name, value)
        site = await stack.enter_async_context(running_site(directory, odoo))
        app = create_app(site.settings, site.client, LocalBlobStore(site.settings.store.path))
        front = await stack.enter_async_context(listening(app, "127.0.0.1", 0))
        yield Sides(site, stock_odoo, front)


@pytest.fixture
async def sides(shared_sides: Sides) -> Sides:
    await shared_sides.site.bridge.use(BY_NAME["event"])
    assert await shared_sides.found() == []
    return shared_sides


async def test_what_was_asked_and_never_started_is_sent_again_and_not_paid_twice(sides: Sides) -> None:
    row = await sides.completed()
    await sides.delete(row)
    assert await sides.found() == []
    await sides.odoo.sql(FORGET.format(row["id"]))
    (finding,) = await sides.found()
    assert (finding.kind, finding.repair, finding.record) == (Kind.NEVER_STARTED, Repair.RESEND, row["id"])
    (result,) = await sides.repaired()
    assert (result.finding, result.repaired) == (finding, True)
    await sides.site.send_now()
    await sides.site.finished(row["id"])
    await sides.ended(workflow_id("event", row["request_key"]))
    assert len(await sides.site.pictures(row["id"])) == 1
    assert await sides.site.paid(row["request_key"]) == 1
    assert await sides.found() == []


async def test_an_outcome_that_odoo_has_lost_is_posted_again(sides: Sides) -> None:
    row = await sides.completed()
    (before,) = await sides.site.pictures(row["id"])
    await sides.odoo.sql(FORGET.format(row["id"]))
    (finding,) = await sides.found()
    assert (finding.kind, finding.repair) == (Kind.NEVER_DELIVERED, Repair.REDELIVER)
    (result,) = await sides.repaired()
    assert result.repaired, result.said
    (after,) = await sides.site.pictures(row["id"])
    assert after["sha256"] == before["sha256"]
    assert (await sides.site.record(row["id"]))["result_digest"] == row["result_digest"]
    assert await sides.found() == []


async def test_an_outcome_that_an_older_backup_of_odoo_waits_for_is_posted_again(sides: Sides) -> None:
    row = await sides.completed()
    await sides.odoo.sql(FORGET.format(row["id"]))
    await sides.odoo.sql(LONG_AGO.format(row["id"]))
    (finding,) = await sides.found()
    assert (finding.kind, finding.record) == (Kind.NEVER_DELIVERED, row["id"])
    await sides.repaired()
    assert (await sides.site.record(row["id"]))["state"] == "completed"
    assert await sides.found() == []


async def test_a_parked_delivery_that_odoo_refused_is_redriven_by_order_only(sides: Sides) -> None:
    await sides.odoo.parameters(callback_secret="another-secret-0123456789")
    record = await sides.site.ask()
    with contextlib.suppress(OdooCallError):
        await sides.site.send_now()
    row = await sides.site.wait_for(record, state="sent")
    parked = f'WorkflowId = "{workflow_id("event", row["request_key"])}" AND Stage = "parked"'
    await until(lambda: sides.counted(parked), "the delivery is not parked")
    await sides.site.bridge.use(BY_NAME["event"])
    (by_clock,) = await sides.repaired(by=None)
    assert (by_clock.finding.kind, by_clock.finding.repair) == (Kind.NEVER_DELIVERED, Repair.REDRIVE)
    assert not by_clock.repaired
    (result,) = await sides.repaired()
    assert result.repaired, result.said
    await sides.site.finished(record)
    await sides.ended(workflow_id("event", row["request_key"]))
    assert len(await sides.site.pictures(record)) == 1
    assert await sides.found() == []


async def test_an_image_that_was_deleted_is_attached_again(sides: Sides) -> None:
    row = await sides.completed()
    (before,) = await sides.site.pictures(row["id"])
    await sides.odoo.admin.call("ir.attachment", "unlink", [before["attachment_id"][0]])
    (finding,) = await sides.found()
    assert (finding.kind, finding.repair) == (Kind.NOT_ATTACHED, Repair.REDELIVER)
    (result,) = await sides.repaired()
    assert result.repaired, result.said
    (after,) = await sides.site.pictures(row["id"])
    assert after["sha256"] == before["sha256"]
    assert (await sides.site.record(row["id"]))["state"] == "completed"
    assert await sides.found() == []


async def test_what_comes_back_is_repaired_by_order_only(sides: Sides) -> None:
    row = await sides.completed()
    first, second = await sides.lost_again(row), await sides.lost_again(row)
    assert (first.repaired, second.repaired) == (True, False)
    assert "repaired before and is back" in (second.said or "")
    (result,) = await sides.repaired()
    assert result.repaired
    assert await sides.found() == []


async def test_an_image_that_was_overwritten_is_replaced(sides: Sides) -> None:
    row = await sides.completed()
    (before,) = await sides.site.pictures(row["id"])
    other = base64.b64encode(png()).decode()
    await sides.odoo.admin.write("ir.attachment", before["attachment_id"][0], datas=other)
    (finding,) = await sides.found()
    assert finding.kind is Kind.NOT_ATTACHED
    assert finding.attachments == (before["attachment_id"][0],)
    (result,) = await sides.repaired()
    assert result.repaired, result.said
    (after,) = await sides.site.pictures(row["id"])
    assert after["sha256"] == before["sha256"]
    assert await sides.found() == []


async def test_copies_go_and_the_image_stays(sides: Sides) -> None:
    row = await sides.completed()
    (picture,) = await sides.site.pictures(row["id"])
    same = {"name": f"{row['request_key']}-1.png", "res_model": REQUEST, "res_id": row["id"]}
    content = base64.b64encode(picture["content"]).decode()
    mine = await sides.odoo.admin.create("ir.attachment", **{**same, "name": "what I drew.png"}, datas=content)
    copy = await sides.odoo.admin.create("ir.attachment", **same, datas=content)
    (finding,) = await sides.found()
    assert (finding.kind, finding.repair, finding.attachments) == (Kind.TWICE, Repair.DEDUPLICATE, (copy,))
    (result,) = await sides.repaired()
    assert result.repaired, result.said
    assert [each["id"] for each in await sides.site.pictures(row["id"])] == [picture["id"]]
    assert await sides.odoo.admin.search("ir.attachment", ["id", "in", [copy, mine]]) == [{"id": mine}]
    assert await sides.found() == []


async def test_a_second_post_of_the_callback_leaves_nothing_to_find(sides: Sides) -> None:
    row = await sides.completed()
    (picture,) = await sides.site.pictures(row["id"])
    body = {
        "requestId": row["request_key"],
        "correlationId": row["request_key"],
        "status": "completed",
        "imageData": base64.b64encode(picture["content"]).decode(),
    }
    secret = sides.site.files.read_secret("callback")
    async with httpx.AsyncClient(base_url=sides.odoo.url, trust_env=False) as http:
        answer = await http.post("/api/ai/events", json=body, headers={"X-Api-Key": secret})
    assert answer.status_code == 200
    assert await sides.found() == []


async def test_another_image_is_reported_and_left_to_people(sides: Sides) -> None:
    row = await sides.completed()
    content = base64.b64encode(png()).decode()
    where = {"name": "x.png", "res_model": REQUEST, "res_id": row["id"]}
    other = await sides.odoo.admin.create("ir.attachment", **where, datas=content)
    await sides.odoo.sql(STRANGER.format(row["id"], other, "ab" * 32))
    try:
        (result,) = await sides.repaired()
        assert (result.finding.kind, result.finding.repair, result.repaired) == (Kind.TWICE, None, False)
        assert str(other) in result.finding.detail
    finally:
        await sides.odoo.admin.call("ir.attachment", "unlink", [other])
    assert await sides.found() == []


async def test_an_odoo_without_the_addon_has_its_attachments_compared(sides: Sides) -> None:
    partner = await sides.stock.admin.create("res.partner", name="a red fox")
    body = {"_action": "Draw(#1)", "_model": "res.partner", "_id": partner}
    async with httpx.AsyncClient(base_url=sides.front, trust_env=False) as http:
        assert (await http.post(f"/webhook/draw/{TOKEN}", json=body)).status_code == 200
    of_partner = f'Route = "draw" AND Outcome = "{Outcome.COMPLETED}" AND ExecutionStatus = "Completed"'
    await until(lambda: sides.counted(of_partner), "the request has not completed")
    report = await sides.run(odoos=("stock",))
    assert report.left == 0
    assert len(report.odoos[0].comparison.notes) == 2
    where = (["res_model", "=", "res.partner"], ["res_id", "=", partner], ["name", "like", "ai-image-"])
    (attachment,) = await sides.stock.admin.search("ir.attachment", *where, fields=("checksum",))
    await sides.stock.admin.call("ir.attachment", "unlink", [attachment["id"]])
    (result,) = await sides.repaired(odoos=("stock",), by=None)
    assert (result.finding.kind, result.finding.repair) == (Kind.NOT_ATTACHED, Repair.ATTACH)
    assert not result.repaired
    (result,) = [result for each in (await sides.run(odoos=("stock",), repair=True)).odoos for result in each.results]
    assert result.repaired, result.said
    (again,) = await sides.stock.admin.search("ir.attachment", *where, fields=("checksum",))
    assert again["checksum"] == attachment["checksum"]
    assert await sides.found(odoos=("stock",)) == []


async def test_the_command_tells_by_its_exit_code(sides: Sides) -> None:
    row = await sides.completed()
    (picture,) = await sides.site.pictures(row["id"])
    await sides.odoo.admin.call("ir.attachment", "unlink", [picture["attachment_id"][0]])
    code, said = await command(sides, "--odoo", "demo", "--since", "1h")
    assert code == 3
    assert Kind.NOT_ATTACHED in said
    assert row["request_key"] in said
    code, said = await command(sides, "--odoo", "demo", "--repair", "--json")
    assert code == 0
    assert json.loads(said)["counts"]["left"] == 0
    ended = json.loads(said)

    async def is_the_last() -> bool:
        code, said = await command(sides, "--last", "--json")
        return code == 0 and json.loads(said) == ended

    await until(is_the_last, "--last does not show the latest run")
    assert (await command(sides, "--last", "--repair"))[0] == 2


async def command(sides: Sides, *options: str) -> tuple[int, str]:
    """Run the command; its exit code and standard output."""
    start = (sys.executable, "-P", "-m", "operations", "--config", str(sides.site.files.config), "reconcile")
    process = await asyncio.create_subprocess_exec(
        *start,
        *options,
        env={**os.environ, "TEMPORAL_ADDRESS": sides.site.client.service_client.config.target_host},
        cwd=CHECKOUT,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()
