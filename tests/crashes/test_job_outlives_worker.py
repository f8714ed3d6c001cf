"""A job at an image service goes on where the worker that waited for it was killed, or stopped for a deploy."""

from __future__ import annotations

import asyncio
import json
import signal
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.crashes.orders import until
from tests.operations.commandline import CommandLine, configured
from tests.operations.requests_at_work import accepted
from tests.services.calls import picture
from tests.services.job_accounts import ACCOUNTS
from tests.temporal_server import connected, running_server

ACCOUNT = ACCOUNTS["fal"]
PATH = "/fal-ai/flux-lora/requests/r1"
SETTINGS = """
[worker]
shutdown_grace_s = 0.5
[services.fal]
kind = "fal"
base_url = "{url}"
model = "fal-ai/flux-lora"
artifact_hosts = ["127.0.0.1"]
allow_private_hosts = true
retry = {{ attempts = 1, heartbeat_s = 2 }}
[odoos.near]
database = "near"
base_url = "{url}"
[routes.jobs]
path = "jobs"
dialect = "event"
odoo = "near"
services = ["fal"]
auth = {{ kind = "header", name = "X-Api-Key", secret = "file:secret" }}
callback = {{ path = "/callback" }}
"""


@dataclass
class Outside:
    """fal's queue with one job, and Odoo: a self-written server."""

    server: HTTPServer
    finished: bool = False
    submits: int = 0
    polls: int = 0
    told: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        expect = self.server.expect_request
        expect("/fal-ai/flux-lora", "POST").respond_with_handler(self._submitted)
        expect(f"{PATH}/status", "GET").respond_with_handler(self._looked_at)
        expect(PATH, "GET").respond_with_json({"images": [{"url": self.server.url_for("/image.png")}], "seed": 42})
        expect("/image.png", "GET").respond_with_data(picture(), content_type="image/png")
        expect("/callback", "POST").respond_with_handler(self._called_back)

    def _submitted(self, _request: Request) -> Response:
        self.submits += 1
        return _json(dict(ACCOUNT.accepted))

    def _looked_at(self, _request: Request) -> Response:
        self.polls += 1
        return _json({"status": "COMPLETED" if self.finished else "IN_PROGRESS"})

    def _called_back(self, request: Request) -> Response:
        self.told.append(request.get_json())
        return _json({})

    async def polled(self) -> None:
        """Wait for the next look at the job."""
        before = self.polls

        async def looked() -> bool:
            return self.polls > before

        await until(looked, "nobody looks at the job")


def _json(content: dict[str, Any]) -> Response:
    return Response(json.dumps(content), content_type="application/json")


@pytest.fixture(scope="module")
async def address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with running_server(tmp_path_factory.mktemp("temporal")) as address:
        yield address


@pytest.fixture
def outside(httpserver: HTTPServer) -> Outside:
    return Outside(httpserver)


@pytest.fixture
async def line(tmp_path: Path, address: str, outside: Outside) -> CommandLine:
    line = configured(tmp_path, address)
    with line.config.open("a", encoding="utf-8") as file:
        file.write(SETTINGS.format(url=outside.server.url_for("").rstrip("/")))
    assert (await line.run("bootstrap")).code == 0
    return line


async def stop(worker: asyncio.subprocess.Process, number: signal.Signals = signal.SIGKILL) -> None:
    if worker.returncode is None:
        worker.send_signal(number)
    await worker.communicate()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "deployed anew"])
async def test_the_next_worker_goes_on_with_the_same_job(
    number: signal.Signals, line: CommandLine, outside: Outside
) -> None:
    async with AsyncExitStack() as stack:
        request = await accepted(await connected(line.address), line, str(uuid.uuid4()), "a harbour at dawn", "jobs")
        first = await line.start("worker")
        stack.push_async_callback(stop, first)
        await outside.polled()
        await stop(first, number)
        second = await line.start("worker")
        stack.push_async_callback(stop, second)
        await outside.polled()
        outside.finished = True
        await request.result()
    assert [told["status"] for told in outside.told] == ["completed"]
    assert outside.submits == 1
    (row,) = (await line.run("spend", "--json")).document["rows"]
    assert (row["group"], row["calls"], row["paid"], row["unknown"], row["images"]) == ("fal", 1, 1, 0, 1)
