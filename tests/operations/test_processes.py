"""`bootstrap`, `worker` and `starter` as processes."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import Any
from uuid import uuid4

import httpx
from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, RegisterNamespaceRequest
from temporalio.client import Client

from contracts import search_attributes
from contracts.names import RETENTION_WORKFLOW
from runtime.bootstrap import missing_search_attributes
from runtime.temporal import DATA_CONVERTER
from tests.operations.commandline import CommandLine

NAMES = [key.name for key in search_attributes.ALL]


async def event(process: asyncio.subprocess.Process, name: str) -> dict[str, Any]:
    """The log line of that event."""
    assert process.stdout is not None
    async for line in process.stdout:
        logged: dict[str, Any] = json.loads(line)
        if logged["event"] == name:
            return logged
    raise AssertionError(name)


async def stopped(process: asyncio.subprocess.Process) -> int:
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    return process.returncode or 0


async def bare_namespace(client: Client) -> Client:
    """A client of a new namespace without our search attributes."""
    name = f"bare-{uuid4()}"
    retention = Duration(seconds=86_400)
    request = RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=retention)
    await client.workflow_service.register_namespace(request)
    config = client.service_client.config
    return await Client.connect(config.target_host, namespace=name, data_converter=DATA_CONVERTER)


async def test_a_worker_needs_the_search_attributes_and_bootstrap_gives_them(
    online: CommandLine, temporal_client: Client
) -> None:
    bare = await bare_namespace(temporal_client)
    early = await online.run("worker", TEMPORAL_NAMESPACE=bare.namespace)
    first = await online.run("bootstrap", "--json", TEMPORAL_NAMESPACE=bare.namespace)
    again = await online.run("bootstrap", TEMPORAL_NAMESPACE=bare.namespace)
    assert (early.code, len(early.err.splitlines())) == (2, 1)
    assert f"lacks the search attributes {', '.join(NAMES)}: run `orchestrator bootstrap`" in early.err
    assert (first.code, first.document["registered"]) == (0, NAMES)
    assert "search attribute RequestId: already there" in again.out
    assert first.document["schedules_created"] == first.document["schedules"] == [RETENTION_WORKFLOW]
    assert f"schedule {RETENTION_WORKFLOW}: " in again.out
    assert await missing_search_attributes(bare) == ()
    described = await bare.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=bare.namespace))
    assert described.config.workflow_execution_retention_ttl.ToSeconds() == 30 * 86_400


async def test_a_worker_says_when_it_is_ready_and_stops_when_told(online: CommandLine) -> None:
    process = await online.start("worker", "--json")
    ready = await event(process, "worker_ready")
    assert (ready["services"], ready["odoos"]) == (["main", "spare"], ["main"])
    assert await stopped(process) == 0


async def test_the_starter_starts_without_temporal(offline: CommandLine) -> None:
    process = await offline.start("starter", "--json")
    url = (await event(process, "starter_ready"))["url"]
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        assert (await http.get("/healthz")).status_code == 200
    assert await stopped(process) == 0


async def test_neither_starts_with_a_secret_missing(offline: CommandLine) -> None:
    (offline.directory / "secret").unlink()
    for name in ("worker", "starter"):
        ran = await offline.run(name)
        assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
        assert "the secret file:secret is missing" in ran.err
