"""The orchestrator around a real Odoo: Temporal, worker, starter and the image service."""

from __future__ import annotations

import base64
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from temporalio.client import Client

from contracts.identity import sha256_hex, workflow_id
from operations.demo.configuration import DemoFiles, DemoRoute, write_configuration
from operations.local.image_service import ImageServiceConfig
from operations.local.image_service import create_app as create_image_service
from operations.local.serving import listening
from operations.odoo.bridge import FINAL_STATES, REQUEST, ROUTES, Bridge
from operations.odoo.rpc import OdooCallError
from operations.stack import Stack, StandIns
from runtime.configuration import load_settings
from runtime.embedded import EmbeddedServer, free_ports
from runtime.environment import variable_name
from runtime.settings import Settings
from tests.flows.running import working
from tests.odoo.running import PATIENCE_S, Running, RunningOdoo, until
from tests.temporal_server import connected, running_server

BY_NAME: Mapping[str, DemoRoute] = {route.name: route for route in ROUTES}
Json = dict[str, Any]


@dataclass(frozen=True)
class Site:
    """Everything that runs, and what the tests ask it."""

    odoo: RunningOdoo
    bridge: Bridge
    client: Client
    settings: Settings
    files: DemoFiles
    starter: Running
    images: httpx.AsyncClient
    api: httpx.AsyncClient
    """The starter, with the token of its requests API."""

    async def ask(self, prompt: str = "a red fox", *, mark: str = "", **fields: Any) -> int:
        """Have Odoo ask for an image of its own; the mark is what the image service's fault rules look for."""
        return await self.bridge.ask(f"{prompt} {uuid.uuid4()} {mark}".strip(), resolution="64x48", **fields)

    async def ask_many(self, count: int, prompt: str) -> list[int]:
        """Have Odoo ask for many images in one transaction."""
        values = [{"prompt": f"{prompt} {uuid.uuid4()}", "resolution": "64x48"} for _ in range(count)]
        made: list[int] = await self.odoo.admin.call(REQUEST, "create", values)
        await self.odoo.admin.call(REQUEST, "action_generate", made)
        return made

    async def finished(self, *records: int) -> list[Json]:
        """Every field of these requests, once all are in a final state."""
        await until(lambda: self._all_final(records), "not all requests are in a final state", 2 * PATIENCE_S)
        return await self.records(*records)

    async def record(self, record: int) -> Json:
        """Every field of a request."""
        return await self.bridge.request(record)

    async def wait_for(self, record: int, **values: Any) -> Json:
        """Every field of a request, once these have these values."""

        async def so() -> bool:
            return (await self.bridge.request(record, *values)).items() >= values.items()

        await until(so, f"request {record} has not {values}")
        return await self.record(record)

    async def pictures(self, record: int) -> list[Json]:
        """The images of a request: their fields, `content` (bytes of the attachment) among them."""
        fields = ("attachment_id", "sha256", "size", "mimetype", "width", "height")
        found = await self.odoo.admin.search("ai.image.result", ["request_id", "=", record], fields=fields)
        for each in found:
            attachment = await self.odoo.admin.read("ir.attachment", each["attachment_id"][0], "datas", "mimetype")
            each["content"] = base64.b64decode(attachment["datas"])
            each["attachment"] = attachment
            assert sha256_hex(each["content"]) == each["sha256"]
        return found

    async def paid(self, key: str) -> int:
        """How many images the service made for a request."""
        count: int = (await self.images.get("/journal")).json()["paid"].get(key, 0)
        return count

    async def state(self, key: str, route: str) -> Json:
        """What the requests API says of a request."""
        answer = await self.api.get(f"/api/requests/{key}", params={"route": route})
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def order(self, key: str, route: str, what: str) -> httpx.Response:
        """POST to the requests API: redrive or cancel."""
        return await self.api.post(
            f"/api/requests/{key}/{what}", params={"route": route}, json={"by": "test", "reason": "corrected"}
        )

    async def runs(self, key: str, route: str) -> int:
        """How many executions a request has had."""
        return (await self.client.count_workflows(f'WorkflowId = "{workflow_id(route, key)}"')).count

    async def send_now(self) -> None:
        """Run the outbox at once: what failed would wait for its next minute."""
        await self.odoo.sql("UPDATE ai_image_request SET next_attempt_at = NULL WHERE state = 'queued'")
        (cron,) = await self.odoo.admin.search("ir.model.data", ["name", "=", "cron_send"], fields=("res_id",))

        async def ran() -> bool:
            try:
                await self.odoo.admin.call("ir.cron", "method_direct_trigger", [cron["res_id"]])
            except OdooCallError as error:
                if "already executing" not in str(error):
                    raise
                return False
            return True

        await until(ran, "the outbox never ended its last run")

    async def faults(self, *rules: Json) -> None:
        """What the image service gets wrong from now on, beside what it does already."""
        (await self.images.post("/faults", json=list(rules))).raise_for_status()

    async def parked(self, key: str, route: str) -> Json:
        """Why a request is a dead letter, once it is one."""

        async def so() -> bool:
            return bool((await self.state(key, route)).get("parked"))

        await until(so, f"{key} is no dead letter")
        found: Json = (await self.state(key, route))["parked"]
        return found

    async def _all_final(self, records: tuple[int, ...]) -> bool:
        found = await self.odoo.admin.call(REQUEST, "read", list(records), ["state"])
        return all(each["state"] in FINAL_STATES for each in found)

    async def records(self, *records: int) -> list[Json]:
        """Every field of these requests, in this order."""
        found: list[Json] = await self.odoo.admin.call(REQUEST, "read", list(records))
        by_id = {each["id"]: each for each in found}
        return [by_id[record] for record in records]


SETTINGS: Mapping[str, str] = {
    **{f"services.{name}.retry.initial_s": "0.05" for name in ("flux", "openai")},
    **{f"routes.{name}.callback.retry.initial_s": "0.1" for name in BY_NAME},
    **{f"routes.{name}.callback.retry.maximum_s": "1" for name in BY_NAME},
    # An Odoo that is killed or waits for a lock must not hold an attempt for long.
    **{f"routes.{name}.callback.retry.timeout_s": "20" for name in BY_NAME},
    "worker.shutdown_grace_s": "0.5",
}


@asynccontextmanager
async def running_site(directory: Path, odoo: RunningOdoo) -> AsyncIterator[Site]:
    """Start everything around that Odoo; stop it at the end."""
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(running_server(directory))
        (port,) = free_ports([0])
        files = write_configuration(directory, port, StandIns(1, 1), ROUTES)
        service = create_image_service(ImageServiceConfig(key=files.reference("service")))
        images = await stack.enter_async_context(listening(service))
        stand_ins = StandIns(httpx.URL(images).port or 0, odoo.port)
        files = write_configuration(directory, port, stand_ins, ROUTES)
        settings = _settings(files)
        client = await connected(address)
        await stack.enter_async_context(working(client, settings))
        starter = await _starter(stack, directory, files, address, port)
        url, api = f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {files.read_secret('api')}"}
        yield Site(
            odoo=odoo,
            bridge=Bridge(odoo.admin, odoo.url, files, url, "http://127.0.0.1:8233"),
            client=client,
            settings=settings,
            files=files,
            starter=starter,
            images=await stack.enter_async_context(httpx.AsyncClient(base_url=images, trust_env=False, timeout=20)),
            api=await stack.enter_async_context(
                httpx.AsyncClient(base_url=url, headers=api, trust_env=False, timeout=20)
            ),
        )


def _settings(files: DemoFiles) -> Settings:
    tree = load_settings(files.config).model_dump()
    for path, value in SETTINGS.items():
        *sections, name = path.split(".")
        section = tree
        for each in sections:
            section = section[each]
        section[name] = float(value)
    return Settings.model_validate(tree)


async def _starter(stack: AsyncExitStack, directory: Path, files: DemoFiles, address: str, port: int) -> Running:
    server = EmbeddedServer(directory, int(address.rpartition(":")[2]), None)
    variables = {variable_name(path): value for path, value in SETTINGS.items()}
    programs = Stack(server, files.config, f"http://127.0.0.1:{port}", settings=variables)
    stack.push_async_callback(programs.stop)
    starter = Running(programs.starter(), directory / "starter.log")
    stack.push_async_callback(starter.kill)
    await starter.start()
    return starter
