"""The Temporal servers of tests: they end with tests that are killed, and give way to whoever took their port."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import pytest

from runtime.embedded import free_ports
from tests import temporal_server
from tests.temporal_server import running_server

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


async def test_a_port_that_is_taken_meanwhile_is_given_up_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        taken = somebody.getsockname()[1]
        ports = iter([taken, *free_ports([0])])
        monkeypatch.setattr(temporal_server, "free_ports", lambda _wanted: [next(ports)])
        async with running_server(tmp_path) as address:
            assert address != f"127.0.0.1:{taken}"
            assert await _answers(address)


async def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        start = running_server(tmp_path, somebody.getsockname()[1])
        with pytest.raises(RuntimeError, match="address already in use"):
            await start.__aenter__()
