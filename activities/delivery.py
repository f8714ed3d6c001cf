"""`deliver-callback`: post an outcome to Odoo. The same delivery always posts the same body under the same key."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import httpx
from pydantic import JsonValue
from structlog.contextvars import bound_contextvars
from temporalio import activity

from activities.attempts import AttemptFailedError, run_attempt, run_once
from activities.records import Records
from activities.services.redaction import MASK, scrub, secrets_in
from activities.services.transport import timeouts
from contracts import names
from contracts.callbacks import Verdict, read_answer, wrap
from contracts.dialects import DIALECTS, CallbackFacts, DeliveredImage
from contracts.errors import FailureClass, make_failure
from contracts.identity import header_value, idempotency_key
from contracts.requests import DeliverInput, DeliveryReceipt, StoredImage
from runtime.authorization import auth_headers
from runtime.image_urls import sign
from runtime.retry_after import retry_after_s
from runtime.secrets import SecretMissingError, resolve
from runtime.settings import CallbackSettings, Settings

_T = TypeVar("_T")

QUICK_TIMEOUT_S = 2.5
"""Seconds for the quick try: it must end before the workflow's own limit of 3 s."""
ANSWER_LIMIT = 64 * 2**10
"""Bytes of Odoo's answer that are read."""


class DeliveryActivities:
    """The activities of one worker that call Odoo."""

    def __init__(self, settings: Settings, records: Records, clients: Mapping[str, httpx.AsyncClient]) -> None:
        self._settings = settings
        self._records = records
        self._clients = clients

    @activity.defn(name=names.DELIVER)
    async def deliver_callback(self, call: DeliverInput) -> DeliveryReceipt:
        """Post the outcome; done once Odoo has said that it arrived."""
        with bound_contextvars(request_id=call.reference.request_id):
            if call.quick:
                return await run_once(lambda: self._deliver(call, QUICK_TIMEOUT_S))
            return await run_attempt(call.policy, lambda: self._deliver(call, call.policy.timeout_s))

    async def _deliver(self, call: DeliverInput, timeout_s: float) -> DeliveryReceipt:
        callback = self._callback(call)
        key = idempotency_key(call.reference.request_id, call.delivery.number)
        credentials = _Credentials.of(callback)
        content = wrap(await self._body(call, credentials.token), call.delivery.envelope, key)
        request = self._clients[call.odoo].build_request(
            "POST",
            call.callback_url or self._settings.odoos[call.odoo].base_url + callback.path,
            content=json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(),
            headers={**_headers(call, key), **credentials.headers},
            timeout=timeouts(timeout_s),
        )
        try:
            async with asyncio.timeout(timeout_s):
                response, body = await self._exchange(call.odoo, request)
        except TimeoutError:
            raise _undeliverable(f"no whole answer within {timeout_s:g} s") from None
        except httpx.HTTPError as error:
            raise _undeliverable(scrub(f"{type(error).__name__}: {error}", credentials.secrets)) from None
        return _judged(call, response, body, credentials.secrets)

    async def _exchange(self, odoo: str, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        response = await self._clients[odoo].send(request, stream=True)
        try:
            return response, await _limited(response)
        finally:
            await response.aclose()

    def _callback(self, call: DeliverInput) -> CallbackSettings:
        route = self._settings.routes.get(call.route)
        if route is None or call.odoo not in self._clients:
            message = f"route {call.route!r} or Odoo {call.odoo!r} is not configured here any more: add it again"
            raise AttemptFailedError(make_failure(FailureClass.CALLBACK_REFUSED, message))
        return route.callback

    async def _body(self, call: DeliverInput, token: str | None) -> Mapping[str, JsonValue]:
        dialect, outcome = DIALECTS[call.reference.dialect], call.outcome
        facts = CallbackFacts(execution_id=activity.info().workflow_run_id or "", security_token=token)
        if outcome.failure is not None:
            return dialect.render_failure(call.reference, outcome.failure, facts)
        if outcome.generated is None:
            raise AttemptFailedError(make_failure(FailureClass.INTERNAL, "the outcome is empty"))
        images = [await self._delivered(call, image) for image in outcome.generated.images]
        return dialect.render_success(call.reference, outcome.generated, images, facts)

    async def _delivered(self, call: DeliverInput, image: StoredImage) -> DeliveredImage:
        if call.delivery.images == "url":
            return DeliveredImage(image, url=self._url(image, call.delivery.expires_at))
        data = await self._records.image(image.sha256)
        if data is None:
            message = f"image {image.sha256} is not in the store any more: restore it, then redrive"
            raise AttemptFailedError(make_failure(FailureClass.INTERNAL, message))
        return DeliveredImage(image, base64=base64.b64encode(data).decode())

    def _url(self, image: StoredImage, expires_at: int) -> str:
        key = self._settings.store.signing_key
        if key is None:
            message = "store.signing_key is not set, but this delivery carries image URLs: set it, then redrive"
            raise AttemptFailedError(make_failure(FailureClass.CALLBACK_REFUSED, message))
        return sign(self._settings.starter.public_base_url, image.sha256, expires_at, _secret(lambda: resolve(key)))


@dataclass(frozen=True, slots=True)
class _Credentials:
    headers: Mapping[str, str]
    token: str | None

    @classmethod
    def of(cls, callback: CallbackSettings) -> _Credentials:
        token = callback.security_token
        return cls(_secret(lambda: auth_headers(callback.auth)), _secret(lambda: resolve(token)) if token else None)

    @property
    def secrets(self) -> tuple[str, ...]:
        return (*secrets_in(self.headers), *((self.token,) if self.token else ()))


def _headers(call: DeliverInput, key: str) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "Idempotency-Key": key,
        "X-Correlation-Id": header_value(call.reference.request_id),
        "traceparent": call.traceparent,
    }


def _judged(call: DeliverInput, response: httpx.Response, body: bytes, secrets: tuple[str, ...]) -> DeliveryReceipt:
    status = response.status_code
    answer = read_answer(status, body, call.delivery.envelope)
    if answer.verdict is Verdict.ARRIVED:
        return DeliveryReceipt(http_status=status)
    # Before the reason is cut: half a secret would not be recognised any more.
    reason = scrub(read_answer(status, _masked(body, secrets), call.delivery.envelope).reason, secrets)
    if answer.verdict is Verdict.FINAL:
        raise AttemptFailedError(make_failure(FailureClass.CALLBACK_REFUSED, reason, http_status=status))
    raise AttemptFailedError(
        make_failure(FailureClass.CALLBACK_UNDELIVERABLE, reason, http_status=status),
        retry_after_s(response.headers, body, now=time.time()),
        unclear=answer.verdict is Verdict.UNCLEAR,
    )


def _masked(body: bytes, secrets: tuple[str, ...]) -> bytes:
    for secret in filter(None, secrets):
        body = body.replace(secret.encode(), MASK.encode())
    return body


def _secret(read: Callable[[], _T]) -> _T:
    try:
        return read()
    except SecretMissingError as error:
        raise AttemptFailedError(make_failure(FailureClass.CALLBACK_REFUSED, str(error))) from None


def _undeliverable(reason: str) -> AttemptFailedError:
    return AttemptFailedError(make_failure(FailureClass.CALLBACK_UNDELIVERABLE, reason))


async def _limited(response: httpx.Response) -> bytes:
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > ANSWER_LIMIT:
            return body[:ANSWER_LIMIT]
    return body
