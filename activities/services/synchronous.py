"""What all services share that answer a submit with the images: there is no job, so nothing to poll, find or cancel."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from pydantic import JsonValue

from activities.services.answers import Answer, read_answer
from activities.services.base import Call, Completed, RemoteArtifact, ServiceError
from activities.services.client import Content, Outgoing, ServiceClient
from activities.services.download import Downloader
from activities.services.http_errors import Reply
from activities.services.loras import asked_model, chosen_loras
from activities.services.refusals import Phase
from activities.services.sizes import asked_size
from contracts.errors import FailureClass, make_failure
from contracts.loras import Lora
from contracts.requests import ImageRequest, JobReference
from runtime.settings import ServiceSettings


@dataclass(frozen=True, slots=True)
class Asked:
    """What a service is asked for, read from a request and the service's settings."""

    request: ImageRequest
    model: str | None
    size: tuple[int, int]
    """Width and height in pixels."""
    loras: tuple[Lora, ...]

    def custom(self, names: Collection[str]) -> dict[str, JsonValue]:
        """The request's custom parameters of these names."""
        return {name: value for name, value in (self.request.custom or {}).items() if name in names}


class SynchronousService(ABC):
    """An image-service account that answers at once. A kind of service says where and what to post."""

    images: ClassVar[str]
    """The member of the answer that lists the images."""
    takes_loras: ClassVar[bool] = False
    """Whether the kind knows LoRAs."""

    def __init__(self, name: str, settings: ServiceSettings) -> None:
        self.name = name
        self.settings = settings
        self._client = ServiceClient(name, settings)
        self._downloader = Downloader(name, settings)

    @abstractmethod
    def url(self, asked: Asked) -> str:
        """Where to post."""

    @abstractmethod
    def body(self, asked: Asked) -> dict[str, JsonValue]:
        """What to post. Fields without a value are left out."""

    def content(self, fields: dict[str, JsonValue]) -> Content:
        """The body as it is sent: JSON unless a kind says otherwise."""
        return self._client.json(fields)

    def read(self, reply: Reply) -> Answer:
        """The images of an answer; raises `ServiceError`."""
        return read_answer(reply, self.images)

    async def submit(self, call: Call) -> Completed:
        """Ask for the images and wait for them."""
        asked = self._asked(call.request)
        fields: dict[str, JsonValue] = {name: value for name, value in self.body(asked).items() if value is not None}
        content = self.content(fields)
        reply = await self._client.send(
            Outgoing(method="POST", url=self.url(asked), phase=Phase.SUBMIT, content=content), call
        )
        # Megabytes of base64: decoded beside the loop, which other calls need.
        return await asyncio.to_thread(self._completed, reply, asked.model)

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

    def refused(self, failure: FailureClass, message: str) -> ServiceError:
        """A call that is not made at all."""
        return ServiceError(make_failure(failure, message, service=self.name))

    def loras(self, request: ImageRequest) -> tuple[Lora, ...]:
        """The LoRAs that the request asks for; none where the kind has none."""
        return chosen_loras(request, self.name, self.settings) if self.takes_loras else ()

    def _asked(self, request: ImageRequest) -> Asked:
        size = asked_size(request, self.name, self.settings)
        return Asked(request, asked_model(request, self.settings), size, self.loras(request))

    def _completed(self, reply: Reply, asked_model: str | None) -> Completed:
        answer = self.read(reply)
        return Completed(answer.artifacts, answer.model or asked_model, reply.request_id)
