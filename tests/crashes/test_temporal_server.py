"""Tests that are killed leave no Temporal server behind."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
TESTS = """
import asyncio, pathlib, sys
from tests.temporal_server import running_server

async def main():
    async with running_server(pathlib.Path(sys.argv[1])) as address:
        print(address, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def _answers(address: str) -> bool:
    host, _, port = address.partition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True


async def test_a_server_ends_with_tests_that_are_killed(tmp_path: Path) -> None:
    command = (sys.executable, "-P", "-c", TESTS, str(tmp_path))
    environment = {"PYTHONPATH": str(CHECKOUT)}
    tests = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.PIPE)
    assert tests.stdout is not None
    address = (await tests.stdout.readline()).decode().strip()
    assert await _answers(address)
    tests.kill()
    await tests.wait()
    async with asyncio.timeout(30):
        while await _answers(address):
            await asyncio.sleep(0.05)
