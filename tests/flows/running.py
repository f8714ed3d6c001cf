"""Starting a whole site: Temporal, worker, starter, image service and receiver, as the demo configures them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
from temporalio.client import Client

import worker
from operations.demo.configuration import DemoFiles, write_configuration
from operations.local.faults import CALLBACK_FAULTS, IMAGE_FAULTS, FaultKind, FaultRule
from operations.local.image_service import ImageServiceConfig
from operations.local.image_service import create_app as create_image_service
from operations.local.receiver import ReceiverConfig
from operations.local.receiver import create_app as create_receiver
from operations.local.serving import listening as listening_locally
from operations.stack import StandIns
from runtime.blobs import LocalBlobStore
from runtime.configuration import load_settings
from runtime.embedded import free_ports
from runtime.settings import Settings
from starter.app import create_app
from starter.wire.server import listening
from tests.flows.site import BY_URL, Site
from tests.services.scripted import ScriptedServer
from tests.temporal_server import connected, running_server

QUICK: Mapping[str, float] = {"attempts": 3, "initial_s": 0.05, "maximum_s": 0.1, "timeout_s": 20, "heartbeat_s": 20}


def make_settings(files: DemoFiles, recorder: str) -> Settings:
    """The demo's settings with short waits, and a twin of each route for images by URL."""
    tree = load_settings(files.config).model_dump()
    tree["worker"]["shutdown_grace_s"] = 0.5
    tree["odoos"]["recorder"] = {"database": "recorder", "base_url": recorder}
    for service in tree["services"].values():
        service["retry"] |= QUICK
    for name, route in list(tree["routes"].items()):
        route["callback"]["retry"] |= QUICK
        callback = {**route["callback"], "images": "url"}
        twin = {**route, "path": route["path"] + BY_URL, "odoo": "recorder", "callback": callback}
        tree["routes"][name + BY_URL] = twin
    return Settings.model_validate(tree)


def fault_rules(prefix: str, kinds: frozenset[FaultKind]) -> tuple[FaultRule, ...]:
    """`<prefix>:<fault>.` happens twice to each request, `<prefix>:always:<fault>.` for ever."""
    twice = [FaultRule(match=f"{prefix}:{kind}.", kind=kind, times=2, retry_after=0.1) for kind in kinds]
    always = [rule.model_copy(update={"match": f"{prefix}:always:{rule.kind}.", "times": 0}) for rule in twice]
    return (*twice, *always)


@asynccontextmanager
async def running_site(directory: Path) -> AsyncIterator[Site]:
    """Start everything; stop it at the end."""
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(running_server(directory))
        recorder = await stack.enter_async_context(ScriptedServer().running())
        recorder.answer({"jsonrpc": "2.0", "id": 1, "result": {"status": "success"}})
        (starter_port,) = free_ports([0])
        files, stand_ins = await _stand_ins(stack, directory, starter_port)
        settings = make_settings(files, recorder.url)
        client = await connected(address)
        await stack.enter_async_context(working(client, settings))
        blobs = LocalBlobStore(settings.store.path)
        app = create_app(settings, client, blobs)
        front = await stack.enter_async_context(listening(app, "127.0.0.1", starter_port))
        api = {"Authorization": f"Bearer {files.read_secret('api')}"}
        yield Site(
            client=client,
            settings=settings,
            files=files,
            stand_ins=stand_ins,
            blobs=blobs,
            recorder=recorder,
            front=await _http(stack, front),
            api=await _http(stack, front, api),
            images=await _http(stack, stand_ins.image_url),
            receiver=await _http(stack, stand_ins.receiver_url),
        )


async def _stand_ins(stack: AsyncExitStack, directory: Path, starter_port: int) -> tuple[DemoFiles, StandIns]:
    # The secrets come with the configuration, which names the ports, which the stand-ins choose.
    files = write_configuration(directory, starter_port, StandIns(1, 1))
    service = ImageServiceConfig(key=files.reference("service"), faults=fault_rules("image", IMAGE_FAULTS))
    odoo = ReceiverConfig(secret=files.reference("callback"), faults=fault_rules("odoo", CALLBACK_FAULTS))
    image_url = await stack.enter_async_context(listening_locally(create_image_service(service)))
    receiver_url = await stack.enter_async_context(listening_locally(create_receiver(odoo)))
    stand_ins = StandIns(httpx.URL(image_url).port or 0, httpx.URL(receiver_url).port or 0)
    return write_configuration(directory, starter_port, stand_ins), stand_ins


async def _http(stack: AsyncExitStack, url: str, headers: Mapping[str, str] | None = None) -> httpx.AsyncClient:
    client = httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=20)
    return await stack.enter_async_context(client)


@asynccontextmanager
async def working(client: Client, settings: Settings) -> AsyncIterator[None]:
    """A worker as its process runs it."""
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(client, settings, stop))
    try:
        yield
    finally:
        stop.set()
        await running
