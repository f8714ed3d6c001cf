"""The webhook front as an ASGI app: route, body, authentication, dialect, in n8n's order."""

from __future__ import annotations

import time

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from temporalio.client import Client

from contracts.search_attributes import keyword
from runtime.secrets import SecretMissingError
from runtime.settings import Settings
from starter import n8n_answers
from starter.authentication import denial
from starter.bodies import as_object, parse_body, read_body
from starter.intake import Taken, WebhookIntake, unavailable
from starter.metrics import StarterMetrics
from starter.refusals import RefusedError, Result
from starter.routing import Webhook, WebhookTable

_log = structlog.get_logger(__name__)


class WebhookFront:
    """Answers every path that is not the starter's own."""

    def __init__(self, settings: Settings, client: Client, metrics: StarterMetrics) -> None:
        self._settings = settings
        self._table = WebhookTable(settings)
        self._intake = WebhookIntake(settings, client)
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        request = Request(scope, receive)
        try:
            answer = await self._answer(request)
        except ClientDisconnect:
            return
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        began = time.perf_counter()
        webhook: Webhook | None = None
        try:
            webhook = self._table.find(request.method, request.scope["raw_path"].decode("latin-1"))
            taken = await self._take(webhook, request)
        except RefusedError as refused:
            self._metrics.count(webhook, refused.result, time.perf_counter() - began)
            _log_refused(webhook, refused)
            return refused.answer
        self._metrics.count(webhook, taken.result, time.perf_counter() - began)
        _log_taken(webhook, taken)
        return taken.answer

    async def _take(self, webhook: Webhook, request: Request) -> Taken:
        body = await read_body(request, self._settings.starter.body_limit)
        value = parse_body(body, request.headers.get("content-type", ""))
        try:
            _authenticate(webhook, request)
            return await self._intake.take(webhook, as_object(value), request.headers.get("traceparent"))
        except SecretMissingError as error:
            _log.error("secret_missing", route=webhook.name, reason=str(error))
            raise unavailable(self._settings.starter.retry_after_s) from None


def _authenticate(webhook: Webhook, request: Request) -> None:
    denied = denial(webhook.settings.auth, request.headers)
    if denied:
        raise RefusedError(Result.REFUSED_CREDENTIALS, n8n_answers.denied(denied.status, denied.message))


def _log_refused(webhook: Webhook | None, refused: RefusedError) -> None:
    _log.warning(
        "request_refused",
        reason=refused.result.value,
        status=refused.answer.status_code,
        route=webhook.name if webhook else None,
        request_id=keyword(refused.request_id) if refused.request_id else None,
    )


def _log_taken(webhook: Webhook, taken: Taken) -> None:
    event = "request_accepted" if taken.result is Result.ACCEPTED else "request_deduplicated"
    _log.info(event, request_id=taken.request_id, route=webhook.name, workflow_id=taken.workflow_id)
