"""A stock Odoo, no addon: its own webhook asks for an image, and finds it in the record that asked."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from operations.local.image_service import ImageServiceConfig
from operations.local.image_service import create_app as create_image_service
from operations.local.serving import listening as listening_locally
from runtime.blobs import LocalBlobStore
from runtime.embedded import free_ports
from runtime.settings import Settings
from starter.app import create_app
from starter.wire.server import listening
from tests.flows.running import QUICK, working
from tests.odoo.running import RunningOdoo, until
from tests.temporal_server import connected, running_server

TOKEN = "made-up-url-token-0123456789"
PARTNER, SECRETS = "res.partner", {"token": TOKEN, "service": "made-up-service-0123456789"}
FIELDS = {"x_prompt": "char", "x_resolution": "char", "x_ai_status": "char", "x_ai_error": "text"}
KINDS = ("odoorpc", "json2")
Json = dict[str, Any]


@dataclass(frozen=True)
class StockSite:
    """The orchestrator beside a stock Odoo, whose server actions are there under the names of their routes."""

    odoo: RunningOdoo
    client: Client
    model: int
    """Id of the partner model."""
    url: str

    async def field(self, name: str) -> int:
        (found,) = await self.odoo.admin.search("ir.model.fields", ["model", "=", PARTNER], ["name", "=", name])
        return int(found["id"])

    async def action(self, route: str, *carried: str) -> Json:
        """The values of a server action that posts to a route."""
        return {
            "name": f"Draw by {route}",
            "model_id": self.model,
            "state": "webhook",
            "webhook_url": f"{self.url}/webhook/odoo/{route}/{TOKEN}",
            "webhook_field_ids": [[6, 0, [await self.field(name) for name in carried]]],
        }

    async def run(self, action: int, partner: int) -> None:
        """Run a server action as the button in Odoo does."""
        context = {"active_model": PARTNER, "active_id": partner, "active_ids": [partner]}
        await self.odoo.admin.call("ir.actions.server", "run", [action], context=context)

    async def settled(self, partner: int) -> Json:
        """The partner once its request has ended."""

        async def ended() -> bool:
            return bool((await self.odoo.admin.read(PARTNER, partner, "x_ai_status"))["x_ai_status"])

        await until(ended, f"partner {partner} has no outcome")
        await until(lambda: self.notes(partner), f"partner {partner} has no note")
        return await self.odoo.admin.read(PARTNER, partner, "image_1920", *FIELDS)

    async def notes(self, partner: int) -> list[Json]:
        """What we posted in its chatter."""
        ours = ["message_id", "like", "odoo-image-orchestrator"]
        about: list[list[Any]] = [["model", "=", PARTNER], ["res_id", "=", partner]]
        return await self.odoo.admin.search("mail.message", ours, *about, fields=("body", "attachment_ids"))

    async def requests(self, partner: int) -> int:
        """How many requests the record has led to."""
        begins = [f'WorkflowId STARTS_WITH "{kind}/{self.odoo.database}:{PARTNER}:{partner}:"' for kind in KINDS]
        return sum([(await self.client.count_workflows(query)).count for query in begins])


def make_settings(directory: Path, odoo: RunningOdoo, images: str, port: int) -> Settings:
    def secret(name: str) -> str:
        return f"file:{directory / name}"

    base = {"database": odoo.database, "base_url": odoo.url}
    record = {
        "models": [PARTNER],
        "fields": {"prompt": "x_prompt", "resolution": "x_resolution"},
        "write_back": {"image": "image_1920", "status": "x_ai_status", "error": "x_ai_error", "chatter": True},
    }
    flux = {"kind": "flux_lora", "base_url": images, "allow_private_hosts": True, "retry": QUICK}
    tree = {
        "starter": {"port": port, "public_base_url": f"http://127.0.0.1:{port}"},
        "store": {"path": directory / "store"},
        "worker": {"shutdown_grace_s": 0.5},
        "odoos": {kind: {**base, "rpc": {"kind": kind, "user": "admin", "secret": secret("key")}} for kind in KINDS},
        "services": {"flux": {**flux, "auth": {"kind": "bearer", "secret": secret("service")}}},
        "routes": {
            kind: {
                "path": f"odoo/{kind}",
                "dialect": "odoo_action",
                "odoo": kind,
                "services": ["flux"],
                "auth": {"kind": "url_token", "secret": secret("token")},
                "callback": {"retry": {"initial_s": 0.1, "maximum_s": 1, "timeout_s": 20}},
                "record": record,
            }
            for kind in KINDS
        },
    }
    return Settings.model_validate(tree)


async def prepare(odoo: RunningOdoo) -> int:
    """Make the fields as somebody does in the settings; gives the id of the model."""
    (model,) = await odoo.admin.search("ir.model", ["model", "=", PARTNER])
    for name, kind in FIELDS.items():
        values = {"name": name, "field_description": name, "ttype": kind, "state": "manual", "model_id": model["id"]}
        await odoo.admin.create("ir.model.fields", **values)
    return int(model["id"])


@pytest.fixture(scope="module")
async def stock_site(stock_odoo: RunningOdoo, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StockSite]:
    directory = tmp_path_factory.mktemp("stock")
    for name, value in {**SECRETS, "key": await stock_odoo.api_key("stock")}.items():
        (directory / name).write_text(value, encoding="utf-8")
    model = await prepare(stock_odoo)
    async with AsyncExitStack() as stack:
        client = await connected(await stack.enter_async_context(running_server(directory)))
        service = create_image_service(ImageServiceConfig(key=f"file:{directory / 'service'}"))
        images = await stack.enter_async_context(listening_locally(service))
        (port,) = free_ports([0])
        settings = make_settings(directory, stock_odoo, images, port)
        await stack.enter_async_context(working(client, settings))
        app = create_app(settings, client, LocalBlobStore(settings.store.path))
        url = await stack.enter_async_context(listening(app, "127.0.0.1", port))
        yield StockSite(stock_odoo, client, model, url)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("carried", [(), ("x_prompt", "x_resolution", "write_date")], ids=["bare", "carried"])
async def test_an_automation_rule_asks_for_the_image_and_finds_it_in_the_record(
    kind: str, carried: tuple[str, ...], stock_site: StockSite
) -> None:
    admin = stock_site.odoo.admin
    rule = await admin.create(
        "base.automation",
        name=f"Draw by {kind}",
        model_id=stock_site.model,
        trigger="on_create_or_write",
        trigger_field_ids=[[6, 0, [await stock_site.field("x_prompt")]]],
        filter_domain=repr([("x_resolution", "!=", False)]),
        action_server_ids=[[0, 0, await stock_site.action(kind, *carried)]],
    )
    try:
        partner = await admin.create(PARTNER, name="Zo\u00eb", x_prompt="a red fox", x_resolution="64x48")
        row = await stock_site.settled(partner)
    finally:
        await admin.call("base.automation", "unlink", [rule])
    assert (row["x_ai_status"], row["x_ai_error"]) == ("completed", False)
    assert base64.b64decode(row["image_1920"]).startswith(b"\x89PNG")
    (note,) = await stock_site.notes(partner)
    assert "Image made by flux" in note["body"]
    (attachment,) = note["attachment_ids"]
    stored = await admin.read("ir.attachment", attachment, "res_model", "res_id", "mimetype", "datas")
    assert (stored["res_model"], stored["res_id"], stored["mimetype"]) == (PARTNER, partner, "image/png")
    assert await stock_site.requests(partner) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_record_without_a_prompt_is_told_which_field_is_missing(kind: str, stock_site: StockSite) -> None:
    admin = stock_site.odoo.admin
    action = await admin.create("ir.actions.server", **await stock_site.action(kind))
    partner = await admin.create(PARTNER, name="Zo\u00eb")
    await stock_site.run(action, partner)
    row = await stock_site.settled(partner)
    assert row["x_ai_status"] == "failed"
    assert "INPUT_VALIDATION_ERROR" in row["x_ai_error"]
    assert "x_prompt is required and missing" in row["x_ai_error"]
    assert not row["image_1920"]


@pytest.mark.parametrize("kind", KINDS)
async def test_the_same_action_twice_in_a_minute_is_one_request(kind: str, stock_site: StockSite) -> None:
    admin = stock_site.odoo.admin
    action = await admin.create("ir.actions.server", **await stock_site.action(kind))
    partner = await admin.create(PARTNER, name="Zo\u00eb", x_prompt="a red fox", x_resolution="64x48")
    for _ in range(3):
        await stock_site.run(action, partner)
    await stock_site.settled(partner)
    assert await stock_site.requests(partner) == 1
    assert len(await stock_site.notes(partner)) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_an_odoo_that_stops_after_its_webhook_gets_the_image_once_it_is_back(
    kind: str, stock_site: StockSite
) -> None:
    admin = stock_site.odoo.admin
    action = await admin.create("ir.actions.server", **await stock_site.action(kind))
    partner = await admin.create(PARTNER, name="Zo\u00eb", x_prompt="a red fox", x_resolution="64x48")
    await stock_site.run(action, partner)
    await stock_site.odoo.kill()
    await stock_site.odoo.start()
    row = await stock_site.settled(partner)
    assert row["x_ai_status"] == "completed"
    assert len(await stock_site.notes(partner)) == 1


async def test_the_key_is_in_no_history(stock_site: StockSite, stock_odoo: RunningOdoo) -> None:
    admin = stock_site.odoo.admin
    action = await admin.create("ir.actions.server", **await stock_site.action("json2", "x_prompt"))
    partner = await admin.create(PARTNER, name="Zo\u00eb", x_prompt="a red fox", x_resolution="64x48")
    await stock_site.run(action, partner)
    await stock_site.settled(partner)
    query = f'WorkflowId STARTS_WITH "json2/{stock_odoo.database}:{PARTNER}:{partner}:"'
    (found,) = [one async for one in stock_site.client.list_workflows(query)]
    history = (await stock_site.client.get_workflow_handle(found.id).fetch_history()).to_json()
    assert TOKEN not in history
    assert all(secret not in history for secret in SECRETS.values())
