"""The webhook front as an ASGI app: route, body, caller, credentials, dialect, in n8n's order."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from temporalio.client import Client

from contracts.search_attributes import keyword
from runtime.secrets import SecretMissingError
from runtime.settings import Settings, SignatureAuth, UrlTokenAuth
from runtime.tracing_http import name_route
from starter.access.authentication import denial
from starter.access.url_tokens import url_token_denial, without_token
from starter.api.listeners import Listener
from starter.features import Features
from starter.intake.reading import Taken, WebhookIntake, unavailable
from starter.intake.rehearsal import heard_call, refused_call
from starter.intake.submission import CallerHints
from starter.metrics import StarterMetrics
from starter.shadow.copies import Copy, answered, copy_of
from starter.wire import n8n_answers
from starter.wire.body_kinds import WebhookBody, webhook_body
from starter.wire.conditional import unless_fresh
from starter.wire.cors import add_cors
from starter.wire.refusals import RefusedError, Result
from starter.wire.routing import Target, Webhook, WebhookTable, by_method, parse_target

_log = structlog.get_logger(__name__)

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
"""The methods that a webhook can have."""


@dataclass(slots=True)
class _Call:
    """What is known of a request while it is answered."""

    request: Request
    began: float = field(default_factory=time.perf_counter)
    webhooks: Mapping[str, Webhook] = field(default_factory=dict)
    """Those of its path, by method."""
    webhook: Webhook | None = None
    listener: Listener | None = None
    """Whoever listens on the test URL that was called."""
    token: str | None = field(default=None, repr=False)
    """The secret that stood in its path."""
    body: WebhookBody | None = None
    copy: Copy | None = None
    """What goes to the route's shadow once the caller is answered."""

    def seconds(self) -> float:
        """How long it has been served."""
        return time.perf_counter() - self.began


class WebhookFront:
    """Answers every path that is not the starter's own."""

    def __init__(self, settings: Settings, client: Client, metrics: StarterMetrics, features: Features) -> None:
        self._settings = settings
        self._table = WebhookTable(settings)
        self._intake = WebhookIntake(settings, client)
        self._metrics = metrics
        self._features = features

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        call = _Call(Request(scope, receive))
        try:
            answer = await self._answer(call)
        except ClientDisconnect:
            return
        add_cors(answer, call.request, call.webhooks)
        try:
            await unless_fresh(answer, call.request)(scope, receive, send)
        finally:
            if call.copy is not None:
                self._features.shadow.offer(call.copy)

    async def _answer(self, call: _Call) -> Response:
        try:
            target = self._target(call)
            if call.request.method == "OPTIONS":
                return self._preflight(call, target)
            if call.listener is not None:
                return await self._rehearse(call, call.listener, target)
            call.webhook = webhook = self._table.find(target, call.request.method)
            taken = await self._take(call, webhook)
        except RefusedError as refused:
            self._count(call, refused.result)
            _log_refused(call.webhook, refused)
            return refused.answer
        self._count(call, taken.result)
        _log_taken(webhook, taken)
        return await self._answer_taken(call, webhook, taken)

    async def _answer_taken(self, call: _Call, webhook: Webhook, taken: Taken) -> Response:
        answer = taken.answer
        if webhook.settings.respond == "when_finished":
            answer = await self._features.when_finished.answer(call.request, webhook, taken)
        if call.body is not None and webhook.settings.shadow is not None:
            call.copy = copy_of(webhook, call.request, call.body.raw, taken, answered(answer, call.seconds()))
        return answer

    async def _rehearse(self, call: _Call, listener: Listener, target: Target) -> Response:
        try:
            call.webhook = webhook = by_method(listener.webhooks, call.request.method)
            body = await self._admitted(call, webhook)
            with _secrets_needed(webhook, self._settings):
                rehearsed = self._intake.rehearse(webhook, body.fields, CallerHints.of(call.request.headers))
        except RefusedError as refused:
            listener.refuse(refused_call(call.request, refused))
            raise
        if self._features.listeners.at(target.path) is not listener:
            # Another call was faster.
            raise RefusedError(Result.REFUSED_ROUTE, n8n_answers.not_listening(target.path))
        listener.hear(heard_call(webhook, call.request, body, rehearsed))
        self._count(call, Result.REHEARSED)
        _log.info("test_call_heard", route=webhook.name)
        return rehearsed.answer

    def _target(self, call: _Call) -> Target:
        method = call.request.method
        target = self._located(parse_target(method, call.request.scope["raw_path"].decode("latin-1")))
        call.token = target.token
        if method not in METHODS and method != "OPTIONS":
            raise RefusedError(Result.REFUSED_ROUTE, n8n_answers.unsupported_method(method, METHODS))
        if target.is_test:
            call.listener = self._features.listeners.at(target.path)
            if call.listener is None:
                raise RefusedError(Result.REFUSED_ROUTE, n8n_answers.not_listening(target.path))
        call.webhooks = call.listener.webhooks if call.listener else self._table.methods(target)
        return target

    def _located(self, target: Target) -> Target:
        def heard_at(path: str) -> Mapping[str, Webhook]:
            listener = self._features.listeners.at(path)
            return listener.webhooks if listener else {}

        return without_token(target, heard_at) if target.is_test else self._table.located(target)

    def _preflight(self, call: _Call, target: Target) -> Response:
        if not call.webhooks and "origin" in call.request.headers:
            raise RefusedError(Result.REFUSED_ROUTE, n8n_answers.not_registered("OPTIONS", target.path))
        self._count(call, Result.PREFLIGHT)
        return n8n_answers.preflight()

    async def _take(self, call: _Call, webhook: Webhook) -> Taken:
        body = await self._admitted(call, webhook)
        self._features.rate_limits.check(webhook, call.request)
        with _secrets_needed(webhook, self._settings):
            return await self._intake.take(webhook, body.fields, CallerHints.of(call.request.headers))

    async def _admitted(self, call: _Call, webhook: Webhook) -> WebhookBody:
        signed = isinstance(webhook.settings.auth, SignatureAuth)
        body = await webhook_body(call.request, self._settings.starter.body_limit, keep=signed)
        webhook.admission.check(call.request)
        with _secrets_needed(webhook, self._settings):
            self._authenticate(webhook, call, body)
        call.body = body
        return body

    def _authenticate(self, webhook: Webhook, call: _Call, body: WebhookBody) -> None:
        auth, request = webhook.settings.auth, call.request
        if isinstance(auth, SignatureAuth):
            denied = self._features.signatures.denial(auth, webhook.name, request.headers, body.raw)
        elif isinstance(auth, UrlTokenAuth):
            denied = url_token_denial(auth, call.token, request)
        else:
            denied = denial(auth, request.headers)
        if denied:
            raise RefusedError(Result.REFUSED_CREDENTIALS, n8n_answers.denied(denied.status, denied.message))

    def _count(self, call: _Call, result: Result) -> None:
        self._metrics.count(call.webhook, result, call.seconds())
        if call.webhook is not None:
            name_route(call.webhook.name)


@contextmanager
def _secrets_needed(webhook: Webhook, settings: Settings) -> Iterator[None]:
    try:
        yield
    except SecretMissingError as error:
        _log.error("secret_missing", route=webhook.name, reason=str(error))
        raise unavailable(settings.starter.retry_after_s) from None


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
    _log.info(
        event,
        request_id=taken.request_id,
        route=webhook.name,
        workflow_id=taken.workflow_id,
        run_id=taken.run_id,
    )
