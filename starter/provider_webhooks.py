"""`POST /services/{service}/ring/{token}`: an image service says that a job is finished.

Only a doorbell: the token says which request to wake, the signature says that the service rang, and the worker then
asks the service itself. Nothing in the body is believed, and without any ring the worker's polls find the job as well.
"""

from __future__ import annotations

import asyncio
import json
import time
from http import HTTPStatus

import httpx
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from temporalio.client import Client
from temporalio.service import RPCError

from contracts import names
from contracts.provider_webhooks import FAL_KEYS_URL, BadSignatureError, fal_keys, verify
from runtime.ring_urls import PATH, Ring, read_ring
from runtime.secrets import SecretMissingError, resolve, resolve_any
from runtime.settings import ServiceSettings, Settings
from runtime.temporal import TemporalUnreachableError
from starter.intake.temporal_calls import served_within
from starter.wire import n8n_answers
from starter.wire.bodies import read_body
from starter.wire.refusals import RefusedError

_log = structlog.get_logger(__name__)

BODY_LIMIT = 2**20
"""Bytes of a ring: services send the whole job along."""
SIGNAL_S = 5.0
"""Seconds that Temporal gets to take the signal."""
FETCH_S = 5.0
"""Seconds that a service gets to hand out its keys."""
KEYS_KEPT_S = 24 * 3600.0
"""Seconds for which published keys are kept."""
KEYS_ASKED_S = 60.0
"""Least seconds between two fetches, whatever comes in."""
_KEYS_LIMIT = 64 * 2**10


class KeysUnavailableError(Exception):
    """The keys that a service publishes cannot be had now."""


class PublishedKeys:
    """The keys of a service that publishes them: fetched when they are needed, and kept."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: tuple[str, ...] = ()
        self._fetched_at: float | None = None
        self._asked_at: float | None = None
        self._fetching = asyncio.Lock()

    async def current(self) -> tuple[str, ...]:
        """The keys; raises `KeysUnavailableError` where there have never been any."""
        now = time.monotonic()
        if self._fetched_at is None or now - self._fetched_at > KEYS_KEPT_S:
            await self.refreshed()
        if not self._keys:
            raise KeysUnavailableError(f"no keys at {self._url}")
        return self._keys

    async def refreshed(self) -> bool:
        """Fetch the keys unless that was tried just now; True where they are others than before."""
        before = self._keys
        async with self._fetching:
            if self._asked_at is None or time.monotonic() - self._asked_at > KEYS_ASKED_S:
                self._asked_at = time.monotonic()
                await self._fetch()
        return self._keys != before

    async def _fetch(self) -> None:
        try:
            keys = fal_keys(json.loads(await _get(self._url)))
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            _log.warning("service_keys_unavailable", url=self._url, reason=f"{type(error).__name__}: {error}")
            return
        self._keys, self._fetched_at = keys or self._keys, time.monotonic()


class ProviderWebhooks:
    """The doorbell. Services without `webhook = true` have none (404)."""

    def __init__(self, settings: Settings, client: Client, fal: PublishedKeys | None = None) -> None:
        self._services = settings.services
        self._signing_keys = settings.store.signing_key
        self._retry_after_s = settings.starter.retry_after_s
        self._client = client
        self._fal = fal or PublishedKeys(FAL_KEYS_URL)

    def routes(self) -> list[Route]:
        """The routes."""
        return [Route(PATH, self._answer, methods=["POST"])]

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._rung(request)
        except RefusedError as error:
            return error.answer
        except BadSignatureError as error:
            _log.warning("service_ring_refused", service=request.path_params["service"], reason=str(error))
            return n8n_answers.error_answer(HTTPStatus.UNAUTHORIZED, "The signature is not valid.")
        except (SecretMissingError, KeysUnavailableError, TemporalUnreachableError) as error:
            _log.error("service_ring_lost", service=request.path_params["service"], reason=str(error))
            headers = {"Retry-After": str(self._retry_after_s)}
            return n8n_answers.error_answer(HTTPStatus.SERVICE_UNAVAILABLE, "Ring again later.", headers=headers)

    async def _rung(self, request: Request) -> Response:
        name: str = request.path_params["service"]
        ring = self._ring(name, request.path_params["token"])
        if ring is None:
            return n8n_answers.error_answer(HTTPStatus.NOT_FOUND, "There is nothing to ring at.")
        body = await read_body(request, BODY_LIMIT)
        await self._verify(self._services[name], dict(request.headers), body)
        await self._wake(name, ring)
        return n8n_answers.json_answer(HTTPStatus.OK, {})

    def _ring(self, name: str, token: str) -> Ring | None:
        service = self._services.get(name)
        if service is None or not service.webhook or self._signing_keys is None:
            return None
        return read_ring(name, token, resolve_any(self._signing_keys))

    async def _verify(self, service: ServiceSettings, headers: dict[str, str], body: bytes) -> None:
        if service.kind != "fal":
            keys = (resolve(service.webhook_secret),) if service.webhook_secret else ()
            verify(service.kind, headers, body, keys, time.time())
            return
        try:
            verify(service.kind, headers, body, await self._fal.current(), time.time())
        except BadSignatureError:
            # The service may have changed its keys.
            if not await self._fal.refreshed():
                raise
            verify(service.kind, headers, body, await self._fal.current(), time.time())

    async def _wake(self, service: str, ring: Ring) -> None:
        handle = self._client.get_workflow_handle(ring.workflow_id)
        try:
            async with served_within(SIGNAL_S):
                await handle.signal(names.JOB_FINISHED)
        except RPCError as error:
            # The request has ended: rings come late and more than once.
            _log.info("service_rang_in_vain", service=service, reason=error.status.name)
            return
        _log.info("service_rang", service=service, generation=ring.generation)


async def _get(url: str) -> bytes:
    async with (
        asyncio.timeout(FETCH_S),
        httpx.AsyncClient(trust_env=False, timeout=FETCH_S) as client,
        client.stream("GET", url) as response,
    ):
        response.raise_for_status()
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _KEYS_LIMIT:
                raise ValueError("the key set is too large")
        return bytes(body)
