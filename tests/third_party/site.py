"""A whole site whose image services are other people's software; everything else runs as the demo configures it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from operations.demo.configuration import ROUTES, DemoFiles, DemoRoute, write_configuration
from operations.local.receiver import ReceiverConfig
from operations.local.receiver import create_app as create_receiver
from operations.local.serving import listening as listening_locally
from operations.stack import StandIns
from runtime.blobs import LocalBlobStore
from runtime.configuration import load_settings
from runtime.settings import Settings
from starter.app import create_app
from starter.wire.server import listening
from tests.flows.running import working
from tests.flows.site import Site
from tests.services.scripted import ScriptedServer
from tests.temporal_server import connected, running_server


def route_to(service: str) -> DemoRoute:
    """The demo's route whose requests go to that service, `flux` or `openai`, first."""
    return next(route for route in ROUTES if route.services == (service,))


@asynccontextmanager
async def running_site(directory: Path, services: Mapping[str, Mapping[str, Any]]) -> AsyncIterator[Site]:
    """Start Temporal, worker, starter and receiver; the demo's services take these settings over."""
    async with AsyncExitStack() as stack:
        client = await connected(await stack.enter_async_context(running_server(directory)))
        files, stand_ins = await _configured(stack, directory)
        settings = _settings(files, services)
        await stack.enter_async_context(working(client, settings))
        blobs = LocalBlobStore(settings.store.path)
        front = await stack.enter_async_context(listening(create_app(settings, client, blobs), "127.0.0.1", 0))
        api = {"Authorization": f"Bearer {files.read_secret('api')}"}
        yield Site(
            client=client,
            settings=settings,
            files=files,
            stand_ins=stand_ins,
            blobs=blobs,
            recorder=ScriptedServer(),
            front=await _http(stack, front),
            api=await _http(stack, front, api),
            images=await _http(stack, settings.services["openai"].base_url),
            receiver=await _http(stack, stand_ins.receiver_url),
        )


async def _configured(stack: AsyncExitStack, directory: Path) -> tuple[DemoFiles, StandIns]:
    # The secrets come with the configuration, which names the receiver's port, which the receiver chooses.
    files = write_configuration(directory, 1, StandIns(1, 1))
    receiver = create_receiver(ReceiverConfig(secret=files.reference("callback")))
    port = httpx.URL(await stack.enter_async_context(listening_locally(receiver))).port
    stand_ins = StandIns(1, port or 0)
    return write_configuration(directory, 1, stand_ins), stand_ins


def _settings(files: DemoFiles, services: Mapping[str, Mapping[str, Any]]) -> Settings:
    tree = load_settings(files.config).model_dump()
    tree["worker"]["shutdown_grace_s"] = 0.5
    for name, changes in services.items():
        tree["services"][name] |= changes
    return Settings.model_validate(tree)


async def _http(stack: AsyncExitStack, url: str, headers: Mapping[str, str] | None = None) -> httpx.AsyncClient:
    client = httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=20)
    return await stack.enter_async_context(client)
