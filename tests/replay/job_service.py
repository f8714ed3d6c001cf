"""Self-written: these activities stand in for a service that finishes later, under the real names."""

from __future__ import annotations

import asyncio

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from activities.images import inspect
from activities.records import Records
from contracts import names
from contracts.requests import (
    GeneratedImages,
    GenerateInput,
    Generation,
    JobFinished,
    JobInput,
    JobReference,
    StoredImage,
)
from operations.local.drawing import draw
from runtime.blobs import BlobStore

SERVICE = "distant"
UNFINISHED = "[unfinished]"
"""In a prompt: the job never ends."""
UNTIL_RUNG = "[until rung]"
"""In a prompt: only a second look finds the job done."""
_JOB = JobReference(service=SERVICE, job_id="job-1", status_url="https://distant.example/job-1")
_SIDE = 64


class JobService:
    """Every generation is a job, which is done at the first look or never."""

    def __init__(self, blobs: BlobStore) -> None:
        self._records = Records(blobs)
        self._polled: set[str] = set()

    def workers(self, client: Client) -> tuple[Worker, Worker]:
        """Serve the queues of the service."""
        return (
            Worker(client, task_queue=names.images_queue(SERVICE), activities=[self.generate_image]),
            Worker(
                client,
                task_queue=names.jobs_queue(SERVICE),
                activities=[self.poll_job, self.store_images, self.cancel_job],
            ),
        )

    @activity.defn(name=names.GENERATE)
    async def generate_image(self, _call: GenerateInput) -> Generation:
        return Generation(job=_JOB)

    @activity.defn(name=names.POLL)
    async def poll_job(self, job: JobInput) -> JobFinished:
        prompt, request_id = job.call.request.prompt, job.call.reference.request_id
        first = request_id not in self._polled
        self._polled.add(request_id)
        while UNFINISHED in prompt or (UNTIL_RUNG in prompt and first):
            activity.heartbeat()
            await asyncio.sleep(0.1)
        return JobFinished(images=1)

    @activity.defn(name=names.STORE)
    async def store_images(self, job: JobInput) -> GeneratedImages:
        data = draw(job.call.request.prompt, 7, _SIDE, _SIDE)
        image = StoredImage(
            sha256=await self._records.put_image(data),
            media_type=inspect(data, len(data)).media_type,
            size=len(data),
            width=_SIDE,
            height=_SIDE,
            seed=7,
        )
        return GeneratedImages(service=SERVICE, images=(image,))

    @activity.defn(name=names.CANCEL_JOB)
    async def cancel_job(self, _job: JobInput) -> None:
        return None
