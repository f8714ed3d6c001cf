"""A whole installation in this process, for recording: real starter, workers and activities, and both stand-ins.

Everything keeps production's defaults, so that the histories hold production's timeouts and retry options.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities import Activities
from contracts import names
from contracts.decisions import Status
from contracts.identity import workflow_id
from contracts.requests import (
    GeneratedImages,
    GenerateInput,
    Generation,
    ImageGenerationResult,
    JobInput,
    JobReference,
    StoredImage,
)
from operations.local import image_service, receiver
from operations.local.faults import FaultRule
from operations.local.serving import listening
from runtime.blobs import LocalBlobStore
from runtime.embedded import free_ports
from runtime.settings import Settings
from runtime.temporal import DATA_CONVERTER
from starter.app import create_app
from starter.server import listening as starter_listening
from tests.temporal_server import running_server
from worker import build_workers

SECRETS = {name: f"planted-{name}-0123456789abcdef" for name in ("webhook", "callback", "service", "signing", "api")}
"""What must never get into a history."""
IDENTITY = "recording"
"""Of clients and workers: the default would put process id and host name into every event."""

Handle = WorkflowHandle[Any, ImageGenerationResult]


@dataclass(frozen=True)
class Site:
    """A running installation, as Odoo and operators reach it."""

    client: Client
    http: httpx.AsyncClient
    """Speaks to the starter."""
    jobs: JobService

    async def post(self, request_id: str, prompt: str | None, route: str = "event") -> httpx.Response:
        """Post a webhook of dialect `event`."""
        body = {"requestId": request_id, "correlationId": "c-1", "prompt": prompt, "userId": "7", "seed": 7}
        answer = await self.http.post(f"/webhook/{route}", json=body, headers={"X-Api-Key": SECRETS["webhook"]})
        return answer.raise_for_status()

    async def ask(self, request_id: str, prompt: str | None, route: str = "event") -> Handle:
        """Post a webhook and return its workflow."""
        await self.post(request_id, prompt, route)
        return self.handle(request_id, route)

    def handle(self, request_id: str, route: str = "event") -> Handle:
        """The workflow of a request."""
        found = workflow_id(route, request_id)
        return self.client.get_workflow_handle(found, result_type=ImageGenerationResult)

    async def operate(self, handle: Handle, action: str, **body: object) -> None:
        """Redrive or cancel by the starter's HTTP interface, as Odoo's buttons do."""
        request_id = handle.id.partition("/")[2]
        credentials = {"Authorization": f"Bearer {SECRETS['api']}"}
        (await self.http.post(f"/api/requests/{request_id}/{action}", json=body, headers=credentials)).raise_for_status()


async def until_logged(handle: Handle, text: str, times: int = 1) -> None:
    """Wait until the request's own log has so many lines with that text."""
    async with asyncio.timeout(60):
        while True:
            status: Status = await handle.query(names.STATUS, result_type=Status)
            if sum(text in line for line in status.log) >= times:
                return
            await asyncio.sleep(0.05)


async def until_pending(handle: Handle, activity_name: str) -> None:
    """Wait until an activity of that name is at work."""
    async with asyncio.timeout(60):
        while True:
            pending = (await handle.describe()).raw_description.pending_activities
            if any(one.activity_type.name == activity_name and one.attempt and one.state == 2 for one in pending):
                return
            await asyncio.sleep(0.05)


class JobService:
    """Self-written: no supported service finishes later yet, so these activities stand in under the real names."""

    _JOB = JobReference(service="jobs", job_id="job-1", status_url="https://jobs.example/job-1")

    def __init__(self) -> None:
        self.hanging = False

    @activity.defn(name=names.GENERATE)
    async def generate_image(self, _call: GenerateInput) -> Generation:
        return Generation(job=self._JOB)

    @activity.defn(name=names.COLLECT)
    async def collect_images(self, job: JobInput) -> GeneratedImages:
        while "[hanging]" in job.call.request.prompt:
            activity.heartbeat()
            await asyncio.sleep(0.1)
        image = StoredImage(sha256="ab" * 32, media_type="image/png", size=1234, width=64, height=64, seed=7)
        return GeneratedImages(service="jobs", images=(image,))

    @activity.defn(name=names.CANCEL_JOB)
    async def cancel_job(self, _job: JobInput) -> None:
        return
