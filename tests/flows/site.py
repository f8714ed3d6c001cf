"""A running site, and requests to it as Odoo posts them."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import Any

import httpx
from temporalio.client import Client, WorkflowHandle

from contracts.identity import header_value, workflow_id
from contracts.requests import ImageGenerationResult
from operations.bodies import Ask, body_of
from operations.demo.configuration import DemoFiles, DemoRoute
from operations.demo.requests import webhook_headers
from operations.stack import StandIns
from runtime.blobs import LocalBlobStore
from runtime.settings import Settings
from tests.services.scripted import ScriptedServer

Json = dict[str, Any]
BY_URL = "-url"
"""Ends the name of each route's twin, whose images travel as URLs to an Odoo that only records."""


@dataclass(frozen=True)
class Asked:
    """One request that was posted."""

    site: Site
    route: str
    request_id: str
    body: Json
    answer: httpx.Response

    @property
    def handle(self) -> WorkflowHandle[Any, ImageGenerationResult]:
        identity = workflow_id(self.route, self.request_id)
        return self.site.client.get_workflow_handle(identity, result_type=ImageGenerationResult)

    async def result(self) -> ImageGenerationResult:
        """How it ended."""
        return await self.handle.result()

    async def state(self) -> Json:
        """What the requests API says."""
        answer = await self.site.api.get(f"/api/requests/{self.request_id}", params={"route": self.route})
        assert answer.status_code == 200, answer.text
        state: Json = answer.json()
        return state

    async def parked(self) -> Json:
        """Why it is a dead letter, once it is one and Odoo has been told."""
        while not (state := await self.state()).get("parked"):
            await asyncio.sleep(0.02)
        parked: Json = state["parked"]
        while parked["step"] == "generate" and not await self.outcomes():
            await asyncio.sleep(0.02)
        return parked

    async def order(self, what: str, body: Json | None = None) -> httpx.Response:
        """POST to the requests API: redrive or cancel."""
        where = f"/api/requests/{self.request_id}/{what}"
        return await self.site.api.post(where, params={"route": self.route}, json=body or {})

    async def outcomes(self) -> list[Json]:
        """The outcomes that Odoo applied, oldest first."""
        received = (await self.site.receiver.get("/received")).json()
        return [outcome for outcome in received["outcomes"] if outcome["request_id"] == self.request_id]

    async def calls(self) -> list[Json]:
        """The calls to the image service, oldest first."""
        journal = (await self.site.images.get("/journal")).json()
        return [call for call in journal["calls"] if call["correlation_id"] == header_value(self.request_id)]


@dataclass(frozen=True)
class Site:
    """Everything that runs, and clients for it."""

    client: Client
    settings: Settings
    files: DemoFiles
    stand_ins: StandIns
    blobs: LocalBlobStore
    front: httpx.AsyncClient
    api: httpx.AsyncClient
    images: httpx.AsyncClient
    receiver: httpx.AsyncClient
    recorder: ScriptedServer

    async def ask(self, route: DemoRoute, mark: str = "", *, by_url: bool = False, **changes: Any) -> Asked:
        """Post a request in the route's dialect; the mark (`image:<fault>`, `odoo:<fault>`) says what goes wrong."""
        fields = {"request_id": f"{route.dialect}-{uuid.uuid4()}-{mark}.", **self.target(route, by_url=by_url)}
        ask = Ask(**{**fields, "prompt": f"a red fox {mark}.", "size": "64x48", "seed": 7, **changes})
        return await self.post(route, ask.request_id, body_of(route.dialect, ask), by_url=by_url)

    async def post(self, route: DemoRoute, request_id: str, body: Json, *, by_url: bool = False) -> Asked:
        """Post this body."""
        path = f"/webhook/{route.path}" + (BY_URL if by_url else "")
        headers = webhook_headers(route, self.files.read_secret("webhook"))
        answer = await self.front.post(path, json=body, headers=headers)
        return Asked(self, route.dialect + (BY_URL if by_url else ""), request_id, body, answer)

    def target(self, route: DemoRoute, *, by_url: bool = False) -> Json:
        """What only a body of dialect `endpoint` holds: where to answer, and its secret."""
        if route.dialect != "endpoint":
            return {}
        base = self.recorder.url if by_url else self.stand_ins.receiver_url
        return {"callback_url": base + route.callback, "security_token": self.files.read_secret("token")}
