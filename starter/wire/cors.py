"""What browsers are told about a webhook: the CORS headers as n8n sets them, on every answer to an `Origin`."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from starter.wire.routing import Webhook

_MAX_AGE_S = 300


def preflight_method(request: Request) -> str:
    """The method that a preflight asks for; empty where it names none."""
    return request.headers.get("access-control-request-method", "")


def add_cors(answer: Response, request: Request, webhooks: Mapping[str, Webhook]) -> None:
    """Add to an answer what its caller's origin may do on a path with those webhooks, by method."""
    origin = request.headers.get("origin")
    if origin is None:
        return
    is_preflight = request.method == "OPTIONS"
    answer.headers["Access-Control-Allow-Methods"] = ", ".join(["OPTIONS", *webhooks])
    webhook = webhooks.get(preflight_method(request) if is_preflight else request.method)
    if webhook is None:
        return
    answer.headers["Access-Control-Allow-Origin"] = allowed_origin(webhook.settings.cors_origins, origin)
    if is_preflight:
        answer.headers["Access-Control-Max-Age"] = str(_MAX_AGE_S)
        requested = request.headers.get("access-control-request-headers")
        if requested:
            answer.headers["Access-Control-Allow-Headers"] = requested


def allowed_origin(configured: tuple[str, ...], origin: str) -> str:
    """The caller's own origin where it may read the answer, else the first that may."""
    return origin if "*" in configured or origin in configured else configured[0]
