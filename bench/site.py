"""What every measurement runs against: the embedded set-up on this machine, as `orchestrator up` starts it."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil

from operations.bodies import Ask, body_of
from operations.demo.configuration import ROUTES
from operations.demo.requests import webhook_headers
from operations.local_stack import LocalStack, local_stack

ROUTE = ROUTES[0]


@asynccontextmanager
async def site(latency_s: float = 0.0, settings: Mapping[str, str] | None = None) -> AsyncIterator[LocalStack]:
    """A running stack with the given image latency; `settings` are variables (ORCHESTRATOR__...) that override."""
    with tempfile.TemporaryDirectory() as directory:
        local = local_stack(Path(directory), latency_s=latency_s, usual_ports=False, settings=settings)
        try:
            await local.stack.start(local.stand_ins, lambda _: None)
            yield local
        finally:
            await local.stack.stop()


def webhook(local: LocalStack, request_id: str) -> tuple[str, dict[str, object], dict[str, str]]:
    """URL, body and headers of one small request; the picture is the same each time, so drawing it costs once."""
    body = body_of(ROUTE.dialect, Ask(request_id, "a red bicycle", size="64x64", seed=7))
    headers = webhook_headers(ROUTE, local.files.read_secret("webhook"))
    return f"{local.stack.starter_url}/webhook/{ROUTE.path}", dict(body), headers


async def received(http: httpx.AsyncClient, local: LocalStack) -> dict[str, float]:
    """When each outcome arrived at the receiver: request id -> epoch seconds."""
    answer = (await http.get(f"{local.local.receiver_url}/received")).json()
    return {outcome["request_id"]: outcome["at"] for outcome in answer["outcomes"]}


def memory_mib(local: LocalStack, *programs: str) -> float:
    """Resident memory of the named programs together, in MiB."""
    return sum(psutil.Process(local.stack.supervisor.pid(name)).memory_info().rss for name in programs) / 2**20


def percentile(values: list[float], percent: float) -> float:
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(len(ordered) * percent / 100))]
