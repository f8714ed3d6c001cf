"""A whole installation in this process, for recording: real starter, workers and activities, and both stand-ins.

Retries and timeouts are production's defaults, so that these stand in the histories.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client, WorkflowHandle

import worker
from contracts import names
from contracts.decisions import Status
from contracts.identity import workflow_id
from contracts.requests import ImageGenerationResult
from operations.local import image_service, receiver
from operations.local.faults import FaultRule
from operations.local.serving import listening
from runtime.blobs import LocalBlobStore
from runtime.embedded import free_ports
from runtime.settings import Settings
from runtime.temporal import DATA_CONVERTER
from starter.app import create_app
from starter.wire import server
from tests.activities.odoo_double import OdooDouble
from tests.replay.job_service import SERVICE as JOBS
from tests.replay.job_service import JobService
from tests.temporal_server import running_server

SECRETS = {name: f"planted-{name}-0123456789abcdef" for name in ("webhook", "callback", "service", "signing", "api")}
"""What must never get into a history."""
IDENTITY = "recording"
"""Of clients and workers: the default would put process id and host name into every event."""
PATIENCE_S = 90
RECORD = 1
"""The id of the one record of the Odoo without an addon."""

Handle = WorkflowHandle[Any, ImageGenerationResult]


@dataclass(frozen=True, slots=True)
class Site:
    """A running installation as Odoo and operators see it."""

    client: Client
    http: httpx.AsyncClient
    """Speaks to the starter."""

    async def post(self, request_id: str, prompt: str | None, route: str = "event") -> httpx.Response:
        """Post a webhook of dialect `event`."""
        body = {"requestId": request_id, "correlationId": "c-1", "prompt": prompt, "userId": "7", "seed": 7}
        answer = await self.http.post(f"/webhook/{route}", json=body, headers={"X-Api-Key": SECRETS["webhook"]})
        return answer.raise_for_status()

    async def ask(self, request_id: str, prompt: str | None = "a red bicycle", route: str = "event") -> Handle:
        """Post a webhook; returns its workflow."""
        await self.post(request_id, prompt, route)
        found = workflow_id(route, request_id)
        return self.client.get_workflow_handle(found, result_type=ImageGenerationResult)

    async def ask_by_record(self, record_id: int) -> Handle:
        """Post what an Odoo without an addon posts; returns its workflow."""
        body = {"_model": "res.partner", "_id": record_id, "_action": "Draw(#1)", "write_date": "2026-11-23 10:00:00"}
        answer = await self.http.post(f"/webhook/record/{SECRETS['webhook']}", json=body)
        answer.raise_for_status()
        async with asyncio.timeout(PATIENCE_S):
            while True:
                async for found in self.client.list_workflows('Route = "record"'):
                    return self.client.get_workflow_handle(found.id, result_type=ImageGenerationResult)
                await asyncio.sleep(0.1)

    async def operate(self, handle: Handle, action: str, **body: object) -> None:
        """Redrive or cancel by the starter's HTTP interface, as Odoo's buttons do."""
        request_id = handle.id.partition("/")[2]
        headers = {"Authorization": f"Bearer {SECRETS['api']}"}
        answer = await self.http.post(f"/api/requests/{request_id}/{action}", json=body, headers=headers)
        answer.raise_for_status()


async def logged(handle: Handle, text: str, times: int = 1) -> None:
    """Wait until the request's own log has so many lines with that text."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            status: Status = await handle.query(names.STATUS, result_type=Status)
            if sum(text in line for line in status.log) >= times:
                return
            await asyncio.sleep(0.05)


async def at_work(handle: Handle, activity: str) -> None:
    """Wait until an attempt of that activity is running."""
    running = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
    async with asyncio.timeout(PATIENCE_S):
        while True:
            pending = (await handle.describe()).raw_description.pending_activities
            if any(one.activity_type.name == activity and one.state == running for one in pending):
                return
            await asyncio.sleep(0.05)


@asynccontextmanager
async def running_site(
    directory: Path, image_faults: tuple[FaultRule, ...], callback_faults: tuple[FaultRule, ...]
) -> AsyncIterator[Site]:
    """An installation with its files in `directory`."""
    files = {name: _written(directory / name, value) for name, value in SECRETS.items()}
    images = image_service.ImageServiceConfig(key=files["service"], faults=image_faults)
    outcomes = receiver.ReceiverConfig(secret=files["callback"], faults=callback_faults)
    async with AsyncExitStack() as stack:
        image_url = await stack.enter_async_context(listening(image_service.create_app(images)))
        odoo_url = await stack.enter_async_context(listening(receiver.create_app(outcomes)))
        plain_url = await stack.enter_async_context(listening(_plain_odoo().app))
        address = await stack.enter_async_context(running_server(directory))
        client = await Client.connect(address, data_converter=DATA_CONVERTER, identity=IDENTITY)
        settings = _settings(directory, files, image_url, odoo_url, plain_url)
        await stack.enter_async_context(_working(client, settings))
        url = await stack.enter_async_context(_starter(client, settings))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False, timeout=20))
        yield Site(client, http)


def _written(file: Path, secret: str) -> str:
    file.write_text(secret, encoding="utf-8")
    return f"file:{file}"


@asynccontextmanager
async def _starter(client: Client, settings: Settings) -> AsyncIterator[str]:
    app = create_app(settings, client, LocalBlobStore(settings.store.path))
    async with server.listening(app, settings.starter.host, settings.starter.port) as url:
        yield url


@asynccontextmanager
async def _working(client: Client, settings: Settings) -> AsyncIterator[None]:
    stop = asyncio.Event()
    made, finished = JobService(LocalBlobStore(settings.store.path)).workers(client)
    async with made, finished:
        working = asyncio.create_task(worker.run(client, _without_jobs(settings), stop))
        try:
            yield
        finally:
            stop.set()
            await working


def _without_jobs(settings: Settings) -> Settings:
    services = {name: service for name, service in settings.services.items() if name != JOBS}
    return settings.model_copy(update={"services": services})


def _plain_odoo() -> OdooDouble:
    odoo = OdooDouble()
    assert odoo.add("res.partner", comment="a red bicycle", image_1920=False) == RECORD
    return odoo


def _settings(directory: Path, files: dict[str, str], image_url: str, odoo_url: str, plain_url: str) -> Settings:
    (port,) = free_ports([0])
    auth = {"kind": "bearer", "secret": files["service"]}
    size = {"default_width": 64, "default_height": 64}
    service = {"base_url": image_url, "auth": auth, "allow_private_hosts": True, **size}
    flux, openai = {**service, "kind": "flux_lora"}, {**service, "kind": "openai", "model": "local-image-1"}
    odoo = {"database": "acme", "base_url": odoo_url}
    return Settings.model_validate(
        {
            "starter": {"port": port, "public_base_url": f"http://127.0.0.1:{port}"},
            "api": {"auth": {"kind": "bearer", "secret": files["api"]}},
            "worker": {"shutdown_grace_s": 0},
            "store": {"path": directory / "images", "signing_key": files["signing"]},
            "odoos": {
                "main": odoo,
                "limited": {**odoo, "rate_per_second": 50},
                "plain": {"database": "acme", "base_url": plain_url, "rpc": {"kind": "json2", "secret": files["api"]}},
            },
            "services": {
                "flux": flux,
                "openai": openai,
                JOBS: flux,
                "down": {**flux, "base_url": "http://127.0.0.1:1"},
                "narrow": {**flux, "concurrency": 1},
            },
            "routes": {
                "event": _route("event", files),
                "url": _route("url", files, images="url"),
                "limited": {**_route("limited", files), "odoo": "limited"},
                "expiring": {**_route("expiring", files), "park_s": 1},
                "jobs": {**_route("jobs", files), "services": [JOBS]},
                "failing_over": {**_route("failing_over", files), "services": ["down", "flux"], "failover_attempts": 1},
                "narrow": {**_route("narrow", files), "services": ["narrow"]},
                "record": {
                    **_route("record", files),
                    "dialect": "odoo_action",
                    "odoo": "plain",
                    "auth": {"kind": "url_token", "secret": files["webhook"]},
                    "record": {"fields": {"prompt": "comment"}, "write_back": {"image": "image_1920"}},
                },
            },
        }
    )


def _route(path: str, files: dict[str, str], **callback: str) -> dict[str, Any]:
    def header(secret: str) -> dict[str, str]:
        return {"kind": "header", "name": "X-Api-Key", "secret": files[secret]}

    return {
        "path": path,
        "dialect": "event",
        "odoo": "main",
        "services": ["flux", "openai"],
        "auth": header("webhook"),
        "callback": {"path": "/callback/event", "auth": header("callback"), **callback},
    }
