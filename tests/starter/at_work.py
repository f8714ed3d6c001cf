"""A starter whose requests are worked on: a tiny image service does what the prompt says."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from contracts.errors import FailureClass, make_failure
from contracts.identity import sha256_hex
from contracts.names import DELIVER, GENERATE, WORKFLOW_QUEUE, callbacks_queue, images_queue
from contracts.requests import DeliverInput, DeliveryReceipt, GeneratedImages, GenerateInput, Generation, StoredImage
from runtime.blobs import LocalBlobStore, image_key
from workflows import WORKFLOWS, sandbox

NO_CREDIT, FORBIDDEN, SLOW = "no credit", "forbidden", "slow"
"""Prompts that end as a dead letter, as a rejection, and once `Studio.go_on` is set."""
WIDTH, HEIGHT = 60, 40


def png(width: int = WIDTH, height: int = HEIGHT) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((width, height), 80).save(buffer, "PNG")
    return buffer.getvalue()


IMAGE = png()


class Studio:
    """Makes images, and takes callbacks in Odoo's place."""

    def __init__(self, store: Path) -> None:
        self._blobs = LocalBlobStore(store)
        self.go_on = asyncio.Event()
        self.told: list[DeliverInput] = []

    @activity.defn(name=GENERATE)
    async def generate_image(self, call: GenerateInput) -> Generation:
        match call.request.prompt:
            case "no credit":
                raise _final(FailureClass.QUOTA_EXHAUSTED)
            case "forbidden":
                raise _final(FailureClass.CONTENT_REJECTED)
            case "slow":
                await self.go_on.wait()
        digest = sha256_hex(IMAGE)
        await self._blobs.create(image_key(digest), IMAGE)
        image = StoredImage(sha256=digest, media_type="image/png", size=len(IMAGE), width=WIDTH, height=HEIGHT)
        return Generation(generated=GeneratedImages(service=call.service, images=(image,)))

    @activity.defn(name=DELIVER)
    async def deliver(self, call: DeliverInput) -> DeliveryReceipt:
        self.told.append(call)
        return DeliveryReceipt(http_status=200)

    def told_of(self, request_id: str) -> list[DeliverInput]:
        return [call for call in self.told if call.reference.request_id == request_id]


def _final(failure: FailureClass) -> ApplicationError:
    what = make_failure(failure, "as the prompt says").model_dump(mode="json")
    return ApplicationError("as the prompt says", what, type=failure, non_retryable=True)


@asynccontextmanager
async def working(client: Client, studio: Studio) -> AsyncIterator[None]:
    """Workers for the image service `main` and the Odoo `main`."""
    queues: list[tuple[str, dict[str, Any]]] = [
        (WORKFLOW_QUEUE, {"workflows": WORKFLOWS, "activities": [studio.deliver], "workflow_runner": sandbox()}),
        (images_queue("main"), {"activities": [studio.generate_image]}),
        (callbacks_queue("main"), {"activities": [studio.deliver]}),
    ]
    async with AsyncExitStack() as stack:
        for queue, work in queues:
            await stack.enter_async_context(Worker(client, task_queue=queue, **work))
        yield
        studio.go_on.set()
