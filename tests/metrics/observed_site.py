"""Temporal, worker, starter and stand-ins as real processes, with everything switched on that watches them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from contracts.requests import Stage
from operations.demo.requests import webhook_headers
from operations.local_stack import Faults, LocalStack, local_stack
from operations.stack import Stack
from runtime.environment import variable_name
from tests.crashes.orders import Order, until

BROKEN, HELD_UP = "[broken]", "[held up]"
"""In a prompt: the service fails for ever, or once."""
AWAY = "odoo-away"
"""In a request id: the receiver is away for the first two callbacks."""
_FAULTS = Faults(
    image=(
        {"match": BROKEN, "kind": "unauthorized", "times": 0},
        {"match": HELD_UP, "kind": "unavailable", "times": 1, "retry_after": 0.1},
    ),
    callback=({"match": AWAY, "kind": "unavailable", "times": 2, "retry_after": 0.1},),
)
_QUICK: Mapping[str, str] = {
    **{f"services.{name}.retry.initial_s": "0.1" for name in ("flux", "openai")},
    **{f"routes.{name}.callback.retry.initial_s": "0.1" for name in ("event", "request")},
    "worker.shutdown_grace_s": "1",
}


@dataclass(frozen=True, slots=True)
class ObservedSite:
    """What runs, and how a test posts to it."""

    local: LocalStack
    http: httpx.AsyncClient

    @property
    def stack(self) -> Stack:
        return self.local.stack

    async def post(self, order: Order, **headers: str) -> httpx.Response:
        known = webhook_headers(order.route, self.local.files.read_secret("webhook"))
        url = f"{self.stack.starter_url}/webhook/{order.route.path}"
        return await self.http.post(url, json=order.body, headers={**known, **headers})

    async def reaches(self, stage: Stage, *orders: Order) -> None:
        """Wait until all of them stand there."""
        ids = {order.workflow_id for order in orders}

        async def there() -> bool:
            found = [one async for one in self.stack.client.list_workflows(f'Stage = "{stage}"')]
            return ids <= {one.id for one in found}

        await until(there, f"not all requests reached {stage}")

    async def callbacks(self, order: Order) -> list[dict[str, str]]:
        """The outcomes that the receiver applied."""
        received = (await self.http.get(f"{self.local.local.receiver_url}/received")).json()
        return [outcome for outcome in received["outcomes"] if outcome["request_id"] == order.request_id]

    def log(self, name: str) -> str:
        """What a program has written so far."""
        return (self.local.files.directory / "logs" / f"{name}.log").read_text(encoding="utf-8")


@asynccontextmanager
async def observed_site(directory: Path, settings: Mapping[str, str]) -> AsyncIterator[ObservedSite]:
    """Start everything with these settings beside the usual ones; stop it at the end."""
    variables = {variable_name(path): value for path, value in {**_QUICK, **settings}.items()}
    local = local_stack(directory, faults=_FAULTS, usual_ports=False, settings=variables)
    async with httpx.AsyncClient(trust_env=False, timeout=15.0) as http:
        try:
            await local.stack.start(local.stand_ins, lambda _name: None)
            yield ObservedSite(local, http)
        finally:
            await asyncio.shield(local.stack.stop())
