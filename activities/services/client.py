"""The caller of one image-service account: one JSON POST, never repeated, never redirected."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

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


class ServiceClient:
    """Calls one service. One connection pool, shared by all calls of a worker."""

    def __init__(self, name: str, settings: ServiceSettings) -> None:
        self._name = name
        self._settings = settings
        self._client = new_client(keepalive=True)

    async def post(self, url: str, payload: Mapping[str, JsonValue], call: Call) -> Reply:
        """The 2xx answer to a submit; raises `ServiceError` for everything else."""
        auth = self._auth_headers()
        request = self._client.build_request(
            "POST",
            url,
            content=self._encoded(payload),
            headers={"Content-Type": "application/json", "Accept": "application/json", **call_headers(call), **auth},
            timeout=timeouts(call.timeout_s),
        )
        async with exchange(Phase.SUBMIT, self._name, call.timeout_s):
            reply = await self._send(request, secrets_in(auth))
        if not httpx.codes.is_success(reply.status):
            raise ServiceError(*read_refusal(reply, Phase.SUBMIT, now=time.time()))
        return reply

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _send(self, request: httpx.Request, secrets: tuple[str, ...]) -> Reply:
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

    def _auth_headers(self) -> dict[str, str]:
        try:
            return auth_headers(self._settings.auth)
        except SecretMissingError as error:
            raise ServiceError(self._failure(FailureClass.AUTHENTICATION_FAILED, str(error))) from None

    def _encoded(self, payload: Mapping[str, JsonValue]) -> bytes:
        try:
            return json.dumps(payload, allow_nan=False).encode()
        except ValueError:
            message = "a number in the request is not finite, which JSON cannot carry"
            raise ServiceError(self._failure(FailureClass.INVALID_REQUEST, message)) from None

    def _failure(self, failure: FailureClass, message: str, status: int | None = None) -> Failure:
        return make_failure(failure, message, service=self._name, http_status=status)
