from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp

from operations.local.image_service import ImageServiceConfig
from operations.local.image_service import create_app as create_image_service
from operations.local.receiver import ReceiverConfig
from operations.local.receiver import create_app as create_receiver
from operations.local.serving import listening

PROJECT = Path(__file__).parents[2]
Serve = Callable[[ASGIApp], Awaitable[httpx.AsyncClient]]


@pytest.fixture(scope="module")
async def serve() -> AsyncIterator[Serve]:
    """Serve applications on free ports while the module's tests run; each call gives a client for one."""
    async with AsyncExitStack() as stack:

        async def start(app: ASGIApp) -> httpx.AsyncClient:
            url = await stack.enter_async_context(listening(app))
            return await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=20))

        yield start


@pytest.fixture
def launch() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start command lines as people do; whatever still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def start(module: str, *options: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *options],
            cwd=PROJECT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
async def shared_service(serve: Serve) -> httpx.AsyncClient:
    return await serve(create_image_service(ImageServiceConfig()))


@pytest.fixture
async def service(shared_service: httpx.AsyncClient) -> httpx.AsyncClient:
    """One server for the module, with nothing left of the test before."""
    await shared_service.post("/faults", json=[])
    await shared_service.delete("/journal")
    return shared_service


@pytest.fixture(scope="module")
async def shared_receiver(serve: Serve) -> httpx.AsyncClient:
    return await serve(create_receiver(ReceiverConfig()))


@pytest.fixture
async def receiver(shared_receiver: httpx.AsyncClient) -> httpx.AsyncClient:
    """One server for the module, with nothing left of the test before."""
    await shared_receiver.post("/faults", json=[])
    await shared_receiver.delete("/received")
    return shared_receiver
