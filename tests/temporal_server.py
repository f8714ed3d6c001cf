"""Real Temporal dev servers for tests."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.client import Client

from runtime.embedded import EmbeddedServer, free_ports
from runtime.temporal import DATA_CONVERTER

DIES_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL") if sys.platform == "linux" else ()
"""Before a command: it ends with the tests, even with tests that are killed."""


@asynccontextmanager
async def running_server(directory: Path, port: int | None = None) -> AsyncIterator[str]:
    """A dev server with our search attributes, its data in `directory`; gives its address."""
    server = EmbeddedServer(directory, port or free_ports([0])[0], None)
    process = await asyncio.create_subprocess_exec(
        *DIES_WITH_PARENT,
        *server.command(),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **server.environment()},
    )
    try:
        await connected(server.address)
        yield server.address
    finally:
        process.kill()
        await process.wait()


async def connected(address: str) -> Client:
    """A client of the server at that address, once it answers."""
    while True:
        try:
            return await Client.connect(address, data_converter=DATA_CONVERTER)
        except RuntimeError:
            await asyncio.sleep(0.1)


async def unconnected() -> Client:
    """A client of no server, for what is built with one and does not call it."""
    return await Client.connect("127.0.0.1:1", lazy=True)
