"""The starter as an ASGI application."""

from __future__ import annotations

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from temporalio.client import Client

from runtime.blobs import BlobStore
from runtime.settings import Settings
from runtime.tracing_http import ServerSpans
from starter.api.listening import ListenersApi
from starter.api.requests import RequestsApi
from starter.features import make_features
from starter.health import Health
from starter.images import SignedImages
from starter.intake.webhooks import WebhookFront
from starter.metrics import StarterMetrics
from starter.provider_webhooks import ProviderWebhooks
from starter.wire import n8n_answers

_log = structlog.get_logger(__name__)


def create_app(settings: Settings, client: Client, blobs: BlobStore) -> Starlette:
    """Webhooks, requests API, signed images, health and metrics over one Temporal client, which may be lazy."""
    health, metrics = Health(client), StarterMetrics()
    features = make_features(settings, client, blobs, metrics)
    webhooks = ServerSpans(WebhookFront(settings, client, metrics, features))
    routes = [
        _WebhookRoute(webhooks),
        Route("/healthz", health.live),
        Route("/healthz/readiness", health.ready),
        Route("/metrics", metrics.answer),
        Route("/images/{digest}", SignedImages(settings, blobs).answer),
        Route("/shadow/{route}/callback", features.shadow_callbacks.answer, methods=["POST"]),
        *RequestsApi(settings, client).routes(),
        *ListenersApi(settings, features.listeners).routes(),
        *ProviderWebhooks(settings, client).routes(),
    ]
    app = Starlette(
        routes=routes, exception_handlers={ClientDisconnect: _left, Exception: _crashed}, lifespan=features.lifespan
    )
    app.state.health = health
    # Webhook paths follow n8n's rules, not the router's: it must neither decode nor redirect them.
    app.router.redirect_slashes = False
    app.router.default = webhooks
    return app


class _WebhookRoute(BaseRoute):
    """Matched before all others, so that a webhook's path is compared with none of theirs."""

    def __init__(self, front: ASGIApp) -> None:
        self._front = front

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        is_webhook = scope["type"] == "http" and scope["path"].startswith("/webhook")
        return (Match.FULL, {}) if is_webhook else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._front(scope, receive, send)


async def _left(_request: Request, _error: Exception) -> Response:
    # Nobody hears it.
    return Response()


async def _crashed(_request: Request, error: Exception) -> Response:
    _log.error("request_crashed", exc_info=error)
    return n8n_answers.crashed()
