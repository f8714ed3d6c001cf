"""Real Temporal dev servers for tests."""

from __future__ import annotations

import asyncio
import contextlib
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


START_S = 30
"""A server that is not there by then hangs: it starts within a second otherwise."""
TRIES = 3


@asynccontextmanager
async def running_server(directory: Path, port: int | None = None) -> AsyncIterator[str]:
    """A dev server with our search attributes, its data and its log in `directory`; gives its address.

    Without `port` it gets a free one, and another one where somebody else was quicker to take it.
    """
    log = directory / "temporal.log"
    for _ in range(TRIES if port is None else 1):
        server = EmbeddedServer(directory, port or free_ports([0])[0], None)
        process = await _spawned(server, log)
        try:
            if await _answers(server, process):
                yield server.address
                return
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    message = f"the Temporal server did not start: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}"
    raise RuntimeError(message)


async def _spawned(server: EmbeddedServer, log: Path) -> asyncio.subprocess.Process:
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *DIES_WITH_PARENT,
            *server.command(),
            stdout=output,
            stderr=output,
            env={**os.environ, **server.environment()},
        )


async def _answers(server: EmbeddedServer, process: asyncio.subprocess.Process) -> bool:
    """Whether it came up: it may end at once, or another program may hold its port and never answer."""
    first = {asyncio.create_task(connected(server.address)), asyncio.create_task(process.wait())}
    done, late = await asyncio.wait(first, timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    return bool(done) and process.returncode is None


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
