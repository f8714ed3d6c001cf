"""The caller of one image-service account: each call is sent once, never repeated, never redirected."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import httpx
from pydantic import JsonValue

from activities.services.base import Call, ServiceError
from activities.services.http_errors import Reply, read_refusal
from activities.services.redaction import secrets_in
from activities.services.refusals import Phase
from activities.services.transport import TooLargeError, call_headers, exchange, new_client, read_capped, timeouts
from contracts.errors import Failure, FailureClass, make_failure
from runtime.authorization import auth_headers
from runtime.secrets import SecretMissingError
from runtime.settings import ServiceSettings

ERROR_LIMIT = 64 * 1024
"""Bytes of an error body that are read; a longer one counts as unreadable."""
JSON = "application/json"
"""The usual media type of answers."""

Method = Literal["GET", "POST", "PUT", "DELETE"]
Content = tuple[bytes, str]
"""A request's body and its media type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """What is sent to a service. Credentials go along: a `url` that a service returned must be checked before."""

    method: Method
    url: str
    phase: Phase
    """What for, which says what an unclear end means: only after a submit is the outcome unknown."""
    content: Content | None = None
    accept: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What the content holds that no failure may repeat."""


class ServiceClient:
    """Calls one service. One connection pool, shared by all calls of a worker.

    `scheme` is what the service wants before a bearer token (`Key` at fal), `statuses` are the HTTP statuses that
    mean something else at this service than elsewhere.
    """

    def __init__(
        self,
        name: str,
        settings: ServiceSettings,
        scheme: str = "Bearer",
        statuses: Mapping[int, FailureClass] | None = None,
    ) -> None:
        self._name = name
        self._settings = settings
        self._scheme = scheme
        self._statuses = statuses
        self._client = new_client(keepalive=True)

    async def post(self, url: str, payload: Mapping[str, JsonValue], call: Call) -> Reply:
        """The 2xx answer to a submit; raises `ServiceError` for everything else."""
        return await self.send(Outgoing(method="POST", url=url, phase=Phase.SUBMIT, content=self.json(payload)), call)

    async def get(self, url: str, call: Call) -> Reply:
        """The 2xx answer to a look at a job; raises `ServiceError` for everything else."""
        return await self.send(Outgoing(method="GET", url=url, phase=Phase.POLL), call)

    async def send(self, outgoing: Outgoing, call: Call) -> Reply:
        """The 2xx answer, whatever its media type; raises `ServiceError` for everything else."""
        reply = await self.ask(outgoing, call)
        if not httpx.codes.is_success(reply.status):
            raise self.refusal(reply, outgoing.phase)
        return reply

    async def ask(self, outgoing: Outgoing, call: Call) -> Reply:
        """The answer with any status; raises `ServiceError` where there is none."""
        auth = self.credentials()
        content, media_type = outgoing.content or (None, None)
        headers = {"Accept": outgoing.accept, **call_headers(call), **outgoing.headers, **auth}
        request = self._client.build_request(
            outgoing.method,
            outgoing.url,
            content=content,
            headers={**headers, "Content-Type": media_type} if media_type else headers,
            timeout=timeouts(call.timeout_s),
        )
        async with exchange(outgoing.phase, self._name, call.timeout_s):
            return await self._exchange(request, (*secrets_in(auth), *outgoing.secrets))

    def refusal(self, reply: Reply, phase: Phase) -> ServiceError:
        """The error that an answer without what was asked for means."""
        return ServiceError(*read_refusal(reply, phase, now=time.time(), statuses=self._statuses))

    def json(self, payload: Mapping[str, JsonValue]) -> Content:
        """A JSON body; raises `ServiceError` (InvalidRequest) for what JSON cannot carry."""
        try:
            return json.dumps(payload, allow_nan=False).encode(), JSON
        except ValueError:
            message = "a number in the request is not finite, which JSON cannot carry"
            raise ServiceError(self._failure(FailureClass.INVALID_REQUEST, message)) from None

    def form(self, fields: Mapping[str, str]) -> Content:
        """A multipart/form-data body of text fields."""
        parts = [(name, (None, value.encode("utf-8", "replace"))) for name, value in fields.items()]
        encoded = httpx.Request("POST", "http://form", files=parts)
        return encoded.read(), encoded.headers["Content-Type"]

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _exchange(self, request: httpx.Request, secrets: tuple[str, ...]) -> Reply:
        response = await self._client.send(request, stream=True)
        # Base64 needs a third more than the image; the rest is room for several and for what surrounds them.
        limit = self._settings.image_limit * 2 if response.is_success else ERROR_LIMIT
        try:
            body = await read_capped(response, limit)
        except TooLargeError:
            body = self._too_large(response, limit)
        finally:
            await response.aclose()
        return Reply(self._name, response.status_code, response.headers, body, secrets)

    def _too_large(self, response: httpx.Response, limit: int) -> bytes:
        if not response.is_success:
            return b"a very long error"
        message = f"the answer has more than {limit} bytes, twice the service's image_limit"
        raise ServiceError(self._failure(FailureClass.PROTOCOL_ERROR, message, response.status_code))

    def credentials(self) -> dict[str, str]:
        """The headers that authenticate us; raises `ServiceError` AuthenticationFailed where a secret is unusable."""
        try:
            headers = auth_headers(self._settings.auth)
        except SecretMissingError as error:
            raise ServiceError(self._failure(FailureClass.AUTHENTICATION_FAILED, str(error))) from None
        if self._settings.auth.kind == "bearer":
            headers["Authorization"] = f"{self._scheme} {headers['Authorization'].removeprefix('Bearer ')}"
        return headers

    def _failure(self, failure: FailureClass, message: str, status: int | None = None) -> Failure:
        return make_failure(failure, message, service=self._name, http_status=status)
