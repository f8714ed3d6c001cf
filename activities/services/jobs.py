"""What all services share that take a job and finish it later. What a service returned is kept before it is checked."""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import ClassVar

import httpx
from pydantic import JsonValue

from activities.services.answers import Answer
from activities.services.base import Accepted, Call, Completed, Pending, RemoteArtifact, ServiceError
from activities.services.client import Method, Outgoing, ServiceClient
from activities.services.download import Downloader
from activities.services.fitting import fitted
from activities.services.http_errors import Reply
from activities.services.loras import asked_model
from activities.services.refusals import Phase
from activities.services.returned_urls import LIMIT, ReturnedUrls
from contracts.errors import FailureClass, Retry, make_failure
from contracts.json_body import parse_json
from contracts.loras import FIELDS as LORA_FIELDS
from contracts.requests import ImageRequest, JobReference
from contracts.sizing import Size, size_of
from runtime.settings import ServiceSettings

_TOO_LATE = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
        HTTPStatus.GONE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)


class JobService(ABC):
    """An image-service account that works in jobs. A kind of service says what to post and how to read its answers."""

    public_hosts: ClassVar[tuple[str, ...]]
    """The service's own hosts, the only ones that its credentials may go to."""
    delivery_hosts: ClassVar[tuple[str, ...]]
    """The hosts that finished images are downloaded from."""
    scheme: ClassVar[str] = "Bearer"
    """What stands before a bearer token."""
    statuses: ClassVar[Mapping[int, FailureClass]] = MappingProxyType({})
    """The HTTP statuses that mean something else here than elsewhere."""
    cancel_method: ClassVar[Method] = "POST"
    model_form: ClassVar[re.Pattern[str]]
    """What a model's name must look like, which becomes a part of the URL."""
    names: ClassVar[Mapping[str, str]]
    """What the service calls our parameters, where `services.*.fields` does not say otherwise; "" = it has none."""
    passed: ClassVar[frozenset[str]]
    """The custom fields of a request that go along; those that `fields` names do too."""

    def __init__(self, name: str, settings: ServiceSettings) -> None:
        self.name = name
        self.settings = settings
        self._client = ServiceClient(name, settings, self.scheme, self.statuses)
        self._downloader = Downloader(name, settings, self.delivery_hosts)
        self._urls = ReturnedUrls(name, settings.base_url, self.public_hosts)

    @abstractmethod
    def creation(self, call: Call) -> Outgoing:
        """What to post for a new job; the request is one that the service can honour."""

    @abstractmethod
    def accepted(self, reply: Reply, content: Mapping[str, JsonValue]) -> Accepted:
        """The job that the answer to `creation` names."""

    @abstractmethod
    async def poll(self, job: JobReference, call: Call) -> Pending | Completed:
        """Look at a job."""

    async def submit(self, call: Call) -> Accepted:
        """Hand in a new job."""
        fit, _ = fitted(call, self.name, self.settings)
        reply = await self._client.send(self.creation(fit), call)
        return self.accepted(reply, self._content(reply, Phase.SUBMIT))

    async def find(self, call: Call) -> Accepted | None:  # noqa: ARG002 - the Protocol's signature
        """Nothing: the service keeps no list that could be searched."""
        return None

    async def cancel(self, job: JobReference, call: Call) -> None:
        """Ask the service to cancel a job; one that is finished or gone stays so."""
        if job.cancel_url is None:
            return
        outgoing = Outgoing(
            method=self.cancel_method,
            url=self._urls.checked(job.cancel_url),
            phase=Phase.POLL,
            headers=self._headers(),
        )
        reply = await self._client.ask(outgoing, call)
        if not httpx.codes.is_success(reply.status) and reply.status not in _TOO_LATE:
            raise self._client.refusal(reply, Phase.POLL)

    async def download(self, artifact: RemoteArtifact, call: Call) -> bytes:
        """Fetch an image."""
        return await self._downloader.fetch(artifact, call)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
        await self._downloader.aclose()

    # --- for the kinds ----------------------------------------------------------------------------------------------

    def _headers(self) -> dict[str, str]:
        """Further headers of every call."""
        return {}

    def _model(self, request: ImageRequest) -> str:
        """The model to ask for; raises `ServiceError` ModelNotFound."""
        model = asked_model(request, self.settings)
        # No form lets a dot stand alone between slashes: such a part would lead to another path.
        if model and self.model_form.fullmatch(model) and not {".", ".."} & set(model.split("/")):
            return model
        reason = f"{model[:80]!r} cannot be a model of this service" if model else "no model is named"
        message = f"{reason}: set services.{self.name}.model or name one in the request"
        raise ServiceError(make_failure(FailureClass.MODEL_NOT_FOUND, message, service=self.name))

    def _named(self, own: Mapping[str, JsonValue], request: ImageRequest) -> dict[str, JsonValue]:
        """The parameters under the names that the model has for them; those without a value or a name are left out."""
        names = self._names()
        custom = {
            name: value
            for name, value in (request.custom or {}).items()
            if name not in own and name not in LORA_FIELDS and (name in self.passed or name in self.settings.fields)
        }
        parameters = {
            names.get(name, name): value for part in (custom, own) for name, value in part.items() if value is not None
        }
        return {name: value for name, value in parameters.items() if name}

    def _names(self) -> dict[str, str]:
        return {**self.names, **self.settings.fields}

    def _size(self, request: ImageRequest) -> Size:
        return size_of(request, self.settings.default_width, self.settings.default_height)

    async def _look(self, url: str | None, job: JobReference, call: Call) -> Reply:
        """The 2xx answer to a look at a job's own URL."""
        return await self._client.send(self._looking(url, job), call)

    def _looking(self, url: str | None, job: JobReference) -> Outgoing:
        if url is None:
            message = f"nothing says where {self.name} answers for job {job.job_id}"
            raise ServiceError(make_failure(FailureClass.JOB_LOST, message, service=self.name))
        return Outgoing(method="GET", url=self._urls.checked(url), phase=Phase.POLL, headers=self._headers())

    def _content(self, reply: Reply, phase: Phase) -> Mapping[str, JsonValue]:
        content = parse_json(reply.body)
        if not isinstance(content, dict):
            raise self._client.refusal(reply, phase)
        return content

    def _kept(self, reply: Reply, content: Mapping[str, JsonValue], member: str) -> str:
        """An id or URL of an accepted job, as it may stand in a history."""
        value = content.get(member)
        if isinstance(value, str) and value and value.isprintable() and value.isascii() and len(value) <= LIMIT:
            return value
        message = f"HTTP {reply.status}, but {member} is missing in the answer or unusable: the job cannot be followed"
        raise ServiceError(reply.failure(FailureClass.PROTOCOL_ERROR, message))

    async def _completed(self, job: JobReference, call: Call, read: Callable[[], Answer]) -> Completed:
        """What `read` finds in a finished job's answer. Beside the loop: an image may stand inside it."""
        answer = await asyncio.to_thread(read)
        model = answer.model or asked_model(call.request, self.settings)
        return Completed(answer.artifacts, model, job.job_id, self._warnings(call))

    def _warnings(self, call: Call) -> tuple[str, ...]:
        try:
            return fitted(call, self.name, self.settings)[1]
        except ServiceError:
            # The settings have changed since the job was handed in; its images are as good as before.
            return ()


def over(error: ServiceError) -> ServiceError:
    """The same failure of a job that has ended: to ask for it again would bring the same answer."""
    return ServiceError(error.failure, retry=Retry.NEVER)
