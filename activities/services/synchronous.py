"""What all services share that answer a submit with the images: there is no job, so nothing to poll, find or cancel."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import ClassVar

from pydantic import JsonValue

from activities.services.answers import read_answer
from activities.services.base import Call, Completed, RemoteArtifact, ServiceError
from activities.services.client import ServiceClient
from activities.services.download import Downloader
from activities.services.http_errors import Reply
from activities.services.sizes import size_of
from contracts.errors import FailureClass, make_failure
from contracts.requests import ImageRequest, JobReference
from runtime.settings import ServiceSettings


class SynchronousService(ABC):
    """An image-service account that answers at once. A kind of service says where and what to post."""

    images: ClassVar[str]
    """The member of the answer that lists the images."""

    def __init__(self, name: str, settings: ServiceSettings) -> None:
        self.name = name
        self.settings = settings
        self._client = ServiceClient(name, settings)
        self._downloader = Downloader(name, settings)

    @abstractmethod
    def url(self) -> str:
        """Where to post."""

    @abstractmethod
    def body(self, request: ImageRequest, model: str | None, size: tuple[int, int]) -> dict[str, JsonValue]:
        """What to post; `size` is width and height in pixels. Fields without a value are left out."""

    async def submit(self, call: Call) -> Completed:
        """Ask for the images and wait for them."""
        model = call.request.model or self.settings.model
        body = self.body(call.request, model, self._size(call.request))
        sent = {name: value for name, value in body.items() if value is not None}
        reply = await self._client.post(self.url(), sent, call)
        # Megabytes of base64: decoded beside the loop, which other calls need.
        return await asyncio.to_thread(self._completed, reply, model)

    async def poll(self, job: JobReference, call: Call) -> Completed:  # noqa: ARG002 - the Protocol's signature
        """Raise JobLost: there are no jobs."""
        message = f"{self.name} answers at once and keeps no jobs, so it does not know {job.job_id}"
        raise ServiceError(make_failure(FailureClass.JOB_LOST, message, service=self.name))

    async def find(self, call: Call) -> None:  # noqa: B027 - the answer is None, not an omission
        """Nothing: the service keeps no record that could be asked."""

    async def cancel(self, job: JobReference, call: Call) -> None:  # noqa: B027 - same
        """Nothing: there are no jobs."""

    async def download(self, artifact: RemoteArtifact, call: Call) -> bytes:
        """Fetch an image."""
        return await self._downloader.fetch(artifact, call)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
        await self._downloader.aclose()

    def _size(self, request: ImageRequest) -> tuple[int, int]:
        try:
            return size_of(request, self.settings.default_width, self.settings.default_height)
        except ValueError as error:
            failure = make_failure(FailureClass.INVALID_REQUEST, str(error), service=self.name)
            raise ServiceError(failure) from None

    def _completed(self, reply: Reply, asked_model: str | None) -> Completed:
        answer = read_answer(reply, self.images)
        return Completed(answer.artifacts, answer.model or asked_model, reply.request_id)
