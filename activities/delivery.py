"""`deliver-callback`: post an outcome to Odoo. The same delivery always posts the same body under the same key."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus

import httpx
import structlog
from pydantic import JsonValue
from structlog.contextvars import bound_contextvars
from temporalio import activity

from activities.attempts import AttemptFailedError, run_attempt, run_once
from activities.odoo.connections import OdooConnections
from activities.odoo.write_back import RecordWriter
from activities.outgoing_images import OutgoingImages
from activities.records import Records
from activities.secrets import needed
from activities.services.redaction import MASK, scrub, secrets_in
from activities.services.transport import timeouts
from contracts import names
from contracts.callbacks import Verdict, read_answer, wrap
from contracts.dialects import CALLBACK_DIALECTS, DIALECTS, CallbackFacts, DeliveredImage
from contracts.errors import FailureClass, make_failure
from contracts.identity import header_value, idempotency_key
from contracts.requests import DeliverInput, DeliveryReceipt, StoredImage
from runtime.authorization import auth_headers, signature_headers
from runtime.retry_after import retry_after_s
from runtime.secrets import resolve
from runtime.settings import CallbackAuth, CallbackSettings, OutboundSignatureAuth, Settings

_log = structlog.get_logger(__name__)

QUICK_TIMEOUT_S = 2.5
"""Seconds for the quick try: it must end before the workflow's own limit of 3 s."""
ANSWER_LIMIT = 64 * 2**10
"""Bytes of Odoo's answer that are read."""


class DeliveryActivities:
    """The activities of one worker that call Odoo."""

    def __init__(
        self,
        settings: Settings,
        records: Records,
        clients: Mapping[str, httpx.AsyncClient],
        connections: OdooConnections,
    ) -> None:
        self._settings = settings
        self._images = OutgoingImages(settings, records)
        self._clients = clients
        self._writer = RecordWriter(settings, self._images, connections)

    @activity.defn(name=names.DELIVER)
    async def deliver_callback(self, call: DeliverInput) -> DeliveryReceipt:
        """Post the outcome; done once Odoo has said that it arrived."""
        with bound_contextvars(request_id=call.reference.request_id):
            if call.quick:
                return await run_once(lambda: self._take(call, QUICK_TIMEOUT_S))
            return await run_attempt(call.policy, lambda: self._take(call, call.policy.timeout_s))

    async def _take(self, call: DeliverInput, timeout_s: float) -> DeliveryReceipt:
        if call.record is not None:
            return await self._writer.deliver(call, call.record, timeout_s)
        if call.reference.dialect not in CALLBACK_DIALECTS:
            # The body named no record, so nobody can be told: whoever sent it was not an Odoo.
            _log.warning("outcome_belongs_to_no_record", route=call.route)
            return DeliveryReceipt(http_status=HTTPStatus.NO_CONTENT)
        return await self._deliver(call, timeout_s)

    async def _deliver(self, call: DeliverInput, timeout_s: float) -> DeliveryReceipt:
        callback = self._callback(call)
        key = idempotency_key(call.reference.request_id, call.delivery.number)
        credentials = _Credentials.of(callback)
        content = wrap(await self._body(call, credentials.token), call.delivery.envelope, key)
        posted = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        request = self._clients[call.odoo].build_request(
            "POST",
            call.callback_url or f"{self._settings.odoos[call.odoo].base_url}{callback.path}",
            content=posted,
            headers={**_headers(call, key), **credentials.headers, **_signed(callback.auth, key, posted)},
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
        execution = call.execution_id or activity.info().workflow_run_id or ""
        facts = CallbackFacts(execution_id=execution, security_token=token)
        if outcome.failure is not None:
            return dialect.render_failure(call.reference, outcome.failure, facts)
        if outcome.generated is None:
            raise AttemptFailedError(make_failure(FailureClass.INTERNAL, "the outcome is empty"))
        images = [await self._delivered(call, image) for image in outcome.generated.images]
        return dialect.render_success(call.reference, outcome.generated, images, facts)

    async def _delivered(self, call: DeliverInput, image: StoredImage) -> DeliveredImage:
        if call.delivery.images == "url":
            return DeliveredImage(image, url=await self._images.url(image, call.delivery.expires_at))
        return DeliveredImage(image, base64=base64.b64encode(await self._images.data(image)).decode())


@dataclass(frozen=True, slots=True)
class _Credentials:
    headers: Mapping[str, str] = field(repr=False)
    token: str | None = field(repr=False)
    signing: str | None = field(repr=False)

    @classmethod
    def of(cls, callback: CallbackSettings) -> _Credentials:
        auth, token = callback.auth, callback.security_token
        if isinstance(auth, OutboundSignatureAuth):
            headers, signing = {}, needed(lambda: resolve(auth.secret))
        else:
            headers, signing = needed(lambda: auth_headers(auth)), None
        return cls(headers, needed(lambda: resolve(token)) if token else None, signing)

    @property
    def secrets(self) -> tuple[str, ...]:
        signing = (self.signing, self.signing.removeprefix("whsec_")) if self.signing else ()
        return (*secrets_in(self.headers), *((self.token,) if self.token else ()), *signing)


def _headers(call: DeliverInput, key: str) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "Idempotency-Key": key,
        "X-Correlation-Id": header_value(call.reference.request_id),
        "traceparent": call.traceparent,
    }


def _signed(auth: CallbackAuth, key: str, body: bytes) -> dict[str, str]:
    if not isinstance(auth, OutboundSignatureAuth):
        return {}
    return needed(lambda: signature_headers(auth.secret, key, datetime.now(UTC), body))


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


def _undeliverable(reason: str) -> AttemptFailedError:
    return AttemptFailedError(make_failure(FailureClass.CALLBACK_UNDELIVERABLE, reason))


async def _limited(response: httpx.Response) -> bytes:
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > ANSWER_LIMIT:
            return body[:ANSWER_LIMIT]
    return body
