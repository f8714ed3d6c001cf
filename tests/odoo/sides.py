"""An Odoo with the addon and one without, and the orchestrator that reconciles both."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError

from contracts import names
from contracts.identity import workflow_id
from contracts.reconciliation import Finding, ReconcileOrder, ReconcileReport, Result
from contracts.requests import Outcome
from operations.odoo.installation import PASSWORD
from operations.odoo.rpc import OdooCallError
from runtime.blobs import LocalBlobStore
from runtime.environment import variable_name
from starter.app import create_app
from starter.wire.server import listening
from tests.odoo.running import Odoos, RunningOdoo, until
from tests.odoo.site import Site, running_site

BOT, TOKEN = "reconciler", "made-up-url-token-0123456789"
FORGET = """
DELETE FROM ir_attachment WHERE res_model = 'ai.image.request' AND res_id = {0};
DELETE FROM ai_image_result WHERE request_id = {0};
UPDATE ai_image_request SET state = 'sent', result_digest = NULL, done_at = NULL WHERE id = {0}
"""
"""Odoo loses the outcome of a request."""
Json = dict[str, Any]


@dataclass(frozen=True)
class Sides:
    """An Odoo with the addon, one without, and the orchestrator of both."""

    site: Site
    stock: RunningOdoo
    front: str
    """Where a starter takes what the Odoo without the addon sends."""
    variables: Mapping[str, str]
    """The settings beside those of the site, as a program of its own needs them."""

    @property
    def odoo(self) -> RunningOdoo:
        return self.site.odoo

    async def agree(self) -> None:
        """Put in order what a test that failed has left."""
        if await self.found():
            await self.run(repair=True)

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


@asynccontextmanager
async def running_sides(directory: Path, odoos: Odoos, stock: RunningOdoo) -> AsyncIterator[Sides]:
    """Start an Odoo with the addon and everything around both; stop it at the end."""
    async with AsyncExitStack() as stack:
        odoo = await stack.enter_async_context(odoos.running("bridge"))
        await make_bot(odoo)
        more = variables(odoo, stock, directory)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in more.items():
                patch.setenv(name, value)
            site = await stack.enter_async_context(running_site(directory, odoo))
        app = create_app(site.settings, site.client, LocalBlobStore(site.settings.store.path))
        front = await stack.enter_async_context(listening(app, "127.0.0.1", 0))
        yield Sides(site, stock, front, more)
