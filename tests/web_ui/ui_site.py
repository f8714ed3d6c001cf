"""The whole stack with its Web UI, and requests in every state that an operator meets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Browser, Page, expect
from temporalio.client import Client, WorkflowHandle

from contracts import names
from contracts.decisions import Status
from contracts.identity import workflow_id
from contracts.requests import Stage
from operations.bodies import Ask, body_of
from operations.demo.configuration import ROUTES
from operations.demo.requests import webhook_headers
from operations.local_stack import Faults, LocalStack, local_stack
from runtime.environment import variable_name

WIDTH, HEIGHT = 1440, 900
SLOWEST_MS = 60_000
"""Milliseconds for one step."""
expect.set_options(timeout=SLOWEST_MS)
ROUTE = ROUTES[0]
COMPLETED, NO_CREDIT, OTHER, THIRD, RETRYING, ODOO_DOWN, REJECTED = (
    "launch-banner",
    "spring-poster",
    "autumn-poster",
    "winter-poster",
    "night-sky",
    "odoo-down-1",
    "refused-1",
)
"""The request ids."""
_PROMPTS = {
    COMPLETED: "a red bicycle",
    NO_CREDIT: "a fox in the snow [no credit]",
    OTHER: "a paper boat [no credit]",
    THIRD: "a lighthouse [no credit]",
    RETRYING: "a teapot on the moon [overloaded]",
    ODOO_DOWN: "a lighthouse at dusk",
    REJECTED: "something [forbidden]",
}
_STAGES = {
    COMPLETED: Stage.SETTLED,
    NO_CREDIT: Stage.PARKED,
    OTHER: Stage.PARKED,
    THIRD: Stage.PARKED,
    RETRYING: Stage.GENERATING,
    ODOO_DOWN: Stage.DELIVERING,
    REJECTED: Stage.SETTLED,
}
"""Where each request comes to rest."""
_IMAGE_FAULTS: tuple[dict[str, Any], ...] = (
    # Each request that matches is counted on its own.
    {"match": "[no credit]", "kind": "quota", "times": 1},
    {"match": "[overloaded]", "kind": "unavailable", "times": 0},
    {"match": "[forbidden]", "kind": "refused_content", "times": 0},
)
_CALLBACK_FAULTS: tuple[dict[str, Any], ...] = ({"match": "odoo-down", "kind": "unavailable", "times": 0},)
_PATIENT = {"initial_s": "5", "maximum_s": "600", "attempts": "50"}
_SETTINGS = {
    **{f"services.flux.retry.{name}": value for name, value in _PATIENT.items()},
    **{f"routes.event.callback.retry.{name}": value for name, value in _PATIENT.items()},
}


@dataclass(frozen=True, slots=True)
class UiSite:
    """A running stack and a browser's look at it."""

    local: LocalStack
    browser: Browser

    @property
    def client(self) -> Client:
        return self.local.stack.client

    @property
    def workflows(self) -> str:
        """The URL of the list."""
        return f"{self.local.ui_url}/namespaces/default/workflows"

    def handle(self, request_id: str) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(workflow_id(ROUTE.name, request_id))

    async def status(self, request_id: str) -> Status:
        found: Status = await self.handle(request_id).query(names.STATUS, result_type=Status)
        return found

    async def at_rest(self, request_id: str, stage: Stage) -> None:
        """Wait until the request has reached the stage."""
        while (await self.status(request_id)).stage is not stage:
            await asyncio.sleep(0.1)

    @asynccontextmanager
    async def page(self) -> AsyncIterator[Page]:
        """A page of a browser that was never here."""
        context = await self.browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, locale="en-US")
        context.set_default_timeout(SLOWEST_MS)
        try:
            yield await context.new_page()
        finally:
            await context.close()

    async def post(self, request_id: str, prompt: str) -> None:
        """Post a request as Odoo does."""
        body = {**body_of(ROUTE.dialect, Ask(request_id, prompt, size="64x64", seed=7)), "campaignId": "spring"}
        headers = webhook_headers(ROUTE, self.local.files.read_secret("webhook"))
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            answer = await http.post(f"{self.local.stack.starter_url}/webhook/{ROUTE.path}", json=body, headers=headers)
        answer.raise_for_status()


@asynccontextmanager
async def running_site(directory: Path, browser: Browser) -> AsyncIterator[UiSite]:
    """The stack with a request in every state."""
    settings = {variable_name(path): value for path, value in _SETTINGS.items()}
    local = local_stack(directory, faults=Faults(_IMAGE_FAULTS, _CALLBACK_FAULTS), usual_ports=False, settings=settings)
    site = UiSite(local, browser)
    try:
        await local.stack.start(local.local, lambda _: None)
        await asyncio.gather(*(site.post(request_id, prompt) for request_id, prompt in _PROMPTS.items()))
        await asyncio.gather(*(site.at_rest(request_id, stage) for request_id, stage in _STAGES.items()))
        yield site
    finally:
        await local.stack.stop()
