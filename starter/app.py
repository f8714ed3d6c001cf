"""The starter as an ASGI application."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from temporalio.client import Client

from runtime.blobs import BlobStore
from runtime.settings import Settings
from starter import n8n_answers
from starter.health import Health
from starter.images import SignedImages
from starter.metrics import StarterMetrics
from starter.requests_api import RequestsApi
from starter.webhooks import WebhookFront


def create_app(settings: Settings, client: Client, blobs: BlobStore) -> Starlette:
    """Webhooks, requests API, signed images, health and metrics over one Temporal client, which may be lazy."""
    health, metrics = Health(client), StarterMetrics()
    routes = [
        Route("/healthz", health.live),
        Route("/healthz/readiness", health.ready),
        Route("/metrics", metrics.answer),
        Route("/images/{digest}", SignedImages(settings, blobs).answer),
        *RequestsApi(settings, client).routes(),
    ]
    app = Starlette(routes=routes, exception_handlers={Exception: _crashed})
    # Webhook paths follow n8n's rules, not the router's: it must neither decode nor redirect them.
    app.router.redirect_slashes = False
    app.router.default = WebhookFront(settings, client, metrics)
    return app


async def _crashed(_request: Request, _error: Exception) -> Response:
    return n8n_answers.crashed()
