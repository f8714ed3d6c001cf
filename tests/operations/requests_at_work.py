"""Requests whose image service is a tiny activity: the prompt says what it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from contracts import names
from contracts.decisions import Status
from contracts.dialects import DIALECTS
from contracts.errors import FailureClass, make_failure
from contracts.identity import sha256_hex
from contracts.names import WORKFLOW_QUEUE, callbacks_queue, images_queue
from contracts.requests import DeliverInput, DeliveryReceipt, GeneratedImages, GenerateInput, Generation, StoredImage
from runtime.blobs import LocalBlobStore, image_key
from runtime.configuration import load_settings
from starter.intake.starting import start
from starter.intake.submission import submission
from tests.operations.commandline import CommandLine
from workflows import WORKFLOWS, sandbox

NO_CREDIT, FORBIDDEN = "no credit", "forbidden"
"""Prompts that fail: as a dead letter, and as a rejection."""
IMAGE = b"the bytes of an image"


@activity.defn(name=names.DELIVER)
async def take_delivery(_call: DeliverInput) -> DeliveryReceipt:
    return DeliveryReceipt(http_status=200)


class ImageService:
    """Makes one image, or fails for good."""

    def __init__(self, store: Path) -> None:
        self._blobs = LocalBlobStore(store)

    @activity.defn(name=names.GENERATE)
    async def generate_image(self, call: GenerateInput) -> Generation:
        if call.request.prompt == NO_CREDIT:
            raise _final(FailureClass.QUOTA_EXHAUSTED, "no credit left")
        if call.request.prompt == FORBIDDEN:
            raise _final(FailureClass.CONTENT_REJECTED, "not this")
        digest = sha256_hex(IMAGE)
        await self._blobs.create(image_key(digest), IMAGE)
        image = StoredImage(sha256=digest, media_type="image/png", size=len(IMAGE), width=8, height=8)
        return Generation(generated=GeneratedImages(service=call.service, images=(image,)))


def _final(failure: FailureClass, message: str) -> ApplicationError:
    what = make_failure(failure, message)
    return ApplicationError(message, what, None, type=failure, non_retryable=True)


@asynccontextmanager
async def working(client: Client, line: CommandLine) -> AsyncIterator[None]:
    """Workers for the configured services and Odoo."""
    service = ImageService(line.directory / "images")
    queues: list[tuple[str, dict[str, Any]]] = [
        (WORKFLOW_QUEUE, {"workflows": WORKFLOWS, "activities": [take_delivery], "workflow_runner": sandbox()}),
        (images_queue("main"), {"activities": [service.generate_image]}),
        (images_queue("spare"), {"activities": [service.generate_image]}),
        (callbacks_queue("main"), {"activities": [take_delivery]}),
    ]
    async with AsyncExitStack() as stack:
        for queue, work in queues:
            await stack.enter_async_context(Worker(client, task_queue=queue, **work))
        yield


async def accepted(
    client: Client, line: CommandLine, request_id: str, prompt: str, route: str = "event"
) -> WorkflowHandle[Any, Any]:
    """The workflow of a request as the starter starts it."""
    body = {"requestId": request_id, "correlationId": "c-1", "prompt": prompt}
    asked = submission(load_settings(line.config), route, DIALECTS["event"].parse(body))
    await start(client, asked, 10)
    return client.get_workflow_handle(asked.workflow_id)


async def parked(client: Client, line: CommandLine, request_id: str, route: str = "event") -> WorkflowHandle[Any, Any]:
    """The workflow of a request that has become a dead letter, and is listed as one."""
    handle = await accepted(client, line, request_id, NO_CREDIT, route)
    query = f'Stage = "parked" AND WorkflowId = "{handle.id}"'
    while not (await client.count_workflows(query)).count:
        await asyncio.sleep(0.05)
    # The failure is told to Odoo beside the wait; a decision in that moment would be another test's subject.
    while "Odoo took the callback" not in (await told(handle)).log[-1]:
        await asyncio.sleep(0.05)
    return handle


async def told(handle: WorkflowHandle[Any, Any]) -> Status:
    status: Status = await handle.query(names.STATUS, result_type=Status)
    return status
