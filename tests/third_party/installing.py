"""Software that we did not write: got by scripts, run as processes of their own."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from operations.supervisor import Program
from runtime.embedded import free_ports
from tests.odoo.running import Running
from tests.third_party.aimock_script import script
from tests.third_party.relay import PICTURE_PATH, Relay

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
KEY = "third-party-key"


async def got(command: Path, *arguments: str) -> Path:
    """The path that a script prints; skips loudly, which .ci/run counts as a failure, where it cannot get things."""
    process = await asyncio.create_subprocess_exec(
        command,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode:
        reason = (errors.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
        pytest.skip(f"SOFTWARE OF OTHERS IS MISSING HERE, so nothing is proved by it: {reason}")
    return Path(output.decode().strip())


@asynccontextmanager
async def running_aimock(packages: Path, directory: Path) -> AsyncIterator[Relay]:
    """Run aimock behind a relay."""
    (port,) = free_ports([0])
    target = f"http://127.0.0.1:{port}"
    async with Relay(target).running() as relay:
        answers_file = directory / "aimock.json"
        answers_file.write_text(json.dumps(script(relay.url + PICTURE_PATH)), encoding="utf-8")
        command = ("node", str(HERE / "serve-aimock.mjs"), str(packages), str(port), KEY, str(answers_file))
        program = Program("aimock", command, _answers(f"{target}/__aimock/health"))
        async with _running(program, directory):
            yield relay


@asynccontextmanager
async def running_llmock(directory: Path, requests_per_minute: int) -> AsyncIterator[str]:
    """Run llmock, whose limiter refills evenly; gives its URL."""
    (port,) = free_ports([0])
    url = f"http://127.0.0.1:{port}"
    options = ("serve", "--port", str(port), "--rpm", str(requests_per_minute), "--log-level", "warning")
    async with _running(Program("llmock", (*LLMOCK, *options), _answers(f"{url}/_llmock/requests")), directory):
        yield url


LLMOCK = (sys.executable, "-P", "-c", "from llmock.cli import app; app()")
"""Its command line. By module, not by name: aimock has a command of the same name."""


@asynccontextmanager
async def running_sd_server(binary: Path, weights: Path, directory: Path) -> AsyncIterator[str]:
    """Run sd-server with these weights; gives its URL."""
    (port,) = free_ports([0])
    url = f"http://127.0.0.1:{port}"
    options = ("--listen-port", str(port), "-m", str(weights), "--steps", "1", "-W", "64", "-H", "64")
    async with _running(Program("sd-server", (str(binary), *options), _answers(f"{url}/v1/models")), directory):
        yield url


def _answers(url: str) -> Callable[[], Awaitable[bool]]:
    """Tells whether something answers there, if only that it wants a key."""

    async def ready() -> bool:
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
                return not (await http.get(url)).is_server_error
        except httpx.HTTPError:
            return False

    return ready


@asynccontextmanager
async def _running(program: Program, directory: Path) -> AsyncIterator[None]:
    running = Running(program, directory / f"{program.name}.log")
    try:
        await running.start()
        yield
    finally:
        await running.kill()
