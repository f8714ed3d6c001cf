"""Our addon in a real Odoo, and the orchestrator's routes for it: set up, asked for images, watched."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from operations.demo.configuration import DemoFiles, DemoRoute
from operations.odoo.rpc import OdooClient

REQUEST = "ai.image.request"
FINAL_STATES = frozenset({"completed", "failed", "rejected", "cancelled"})

ROUTES = (
    DemoRoute("event", "ai/event", ("flux",), "X-Api-Key", "/api/ai/events", "X-Api-Key"),
    DemoRoute(
        "correlation",
        "influencegen/ai/image_generate",
        ("flux",),
        "bearer",
        "/api/influencegen/image_result_callback",
        "X-Api-Key",
        images="url",
    ),
    DemoRoute(
        "request",
        "influencegen/ai-image-generate",
        ("openai", "flux"),
        "X-Api-Key",
        "/api/influencegen/ai_image_callback",
        "X-Api-Key",
    ),
    DemoRoute(
        "adapter", "influencegen/adapter", ("flux",), "bearer", "/influence_gen/n8n/ai_callback", "X-N8N-Signature"
    ),
    DemoRoute(
        "endpoint",
        "influencegen/endpoint",
        ("openai",),
        "X-N8N-Api-Key",
        "/influence_gen/ai/callback/image_result",
        "X-N8N-Webhook-Token",
        carried="token",
    ),
    DemoRoute("event", "ai/signed", ("flux",), "X-Api-Key", "/ai_image_bridge/callback", None, called="signed"),
)
"""A route for each dialect, and one to the addon's own endpoint, whose callbacks are signed."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """The addon of one Odoo and the orchestrator that it asks."""

    odoo: OdooClient
    odoo_url: str
    files: DemoFiles
    starter_url: str
    ui_url: str

    async def use(self, route: DemoRoute, **parameters: str) -> None:
        """Set the addon up for a route, with further parameters (ai_image_bridge.NAME) of one's own."""
        secret = self.files.read_secret
        wanted = {
            "orchestrator_url": self.starter_url,
            "route": route.name,
            "dialect": route.dialect,
            "webhook_path": route.path,
            "webhook_secret": secret("webhook"),
            "callback_secret": secret("callback"),
            "security_token": secret("token"),
            "api_token": secret("api"),
            "ui_url": self.ui_url,
            **parameters,
        }
        named = {f"ai_image_bridge.{name}": value for name, value in wanted.items()}
        await self._set({**named, "web.base.url": self.odoo_url, "web.base.url.freeze": "True"})

    async def ask(self, prompt: str, **fields: Any) -> int:  # noqa: ANN401 - whatever a request has
        """Create a request and have it sent; gives its record id."""
        made = await self.odoo.create(REQUEST, prompt=prompt, **fields)
        await self.odoo.call(REQUEST, "action_generate", [made])
        return made

    async def request(self, record: int, *fields: str) -> dict[str, Any]:
        """The fields of a request."""
        return await self.odoo.read(REQUEST, record, *fields)

    async def finished(self, record: int) -> dict[str, Any]:
        """Every field of a request, once it is in a final state."""
        while (await self.request(record, "state"))["state"] not in FINAL_STATES:  # noqa: ASYNC110 - in Odoo's database
            await asyncio.sleep(0.1)
        return await self.request(record)

    async def _set(self, wanted: Mapping[str, str]) -> None:
        domain = ["key", "in", list(wanted)]
        there = await self.odoo.search("ir.config_parameter", domain, fields=("key", "value"))
        known = {each["key"]: each["value"] for each in there}
        for name, value in wanted.items():
            # Each change empties caches in Odoo.
            if known.get(name, "") != value:
                await self.odoo.call("ir.config_parameter", "set_param", name, value)
