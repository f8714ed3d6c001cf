"""The configured webhooks as OpenAPI operations."""

from __future__ import annotations

import re

from pydantic import JsonValue

from contracts.dialects import DIALECTS, Dialect
from contracts.requests import RequestReference
from runtime.settings import (
    BasicAuth,
    HeaderAuth,
    NoAuth,
    RouteSettings,
    Settings,
    SignatureAuth,
    UrlTokenAuth,
    WebhookAuth,
)
from starter.access.url_tokens import PARAMETER
from starter.openapi.answers import Description, answer, bare, denials, errors, json_content, reference
from starter.openapi.bodies import body_schema

_PARAMETER = re.compile(r":([^/]+)")
_BODILESS = frozenset({"GET", "HEAD"})
_FAILED: Description = {"type": "object", "properties": {"message": {"const": "Error in workflow"}}}
_SAMPLE_ID = "the request's id"


def webhook_paths(settings: Settings) -> Description:
    """The paths of all active webhooks."""
    paths: dict[str, Description] = {}
    for name, route in settings.routes.items():
        if route.active:
            path, parameters = _path(route)
            item = paths.setdefault(path, {"options": _preflight(), **parameters})
            item.update({method.lower(): _operation(name, route, method) for method in route.methods})
    return dict(paths)


def dialect_schemas(settings: Settings) -> Description:
    """The request bodies of the dialects that are configured, by name."""
    used = sorted({route.dialect for route in settings.routes.values()})
    return {schema_name(DIALECTS[name]): body_schema(DIALECTS[name]) for name in used}


def schema_name(dialect: Dialect) -> str:
    """What a dialect's body is called in the description."""
    return f"{dialect.name.capitalize()}Request"


def security_scheme(auth: WebhookAuth) -> Description:
    """How callers authenticate; no secret is named."""
    if isinstance(auth, BasicAuth):
        return {"type": "http", "scheme": "basic"}
    if isinstance(auth, HeaderAuth):
        return {"type": "apiKey", "in": "header", "name": auth.name}
    if isinstance(auth, UrlTokenAuth):
        described = "Or behind the path, as its last segment."
        return {"type": "apiKey", "in": "query", "name": PARAMETER, "description": described}
    if isinstance(auth, SignatureAuth):
        return {
            "type": "apiKey",
            "in": "header",
            "name": "webhook-signature",
            "description": "Standard Webhooks, with webhook-id and webhook-timestamp.",
        }
    return {"type": "http", "scheme": "bearer"}


def _path(route: RouteSettings) -> tuple[str, Description]:
    path = route.path.strip("/")
    named = _PARAMETER.findall(path)
    if not named:
        return f"/webhook/{path}", {}
    parameters: list[JsonValue] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in named
    ]
    template = _PARAMETER.sub(r"{\1}", path)
    return f"/webhook/{route.webhook_id}/{template}", {"parameters": parameters}


def _operation(name: str, route: RouteSettings, method: str) -> Description:
    dialect = DIALECTS[route.dialect]
    described: Description = {
        "operationId": f"{name}-{method.lower()}",
        "summary": f"Ask for images: route {name}, dialect {dialect.name}",
        "tags": ["webhooks"],
        "responses": _responses(route, dialect, method),
    }
    if method not in _BODILESS:
        described["requestBody"] = {"content": json_content(reference(schema_name(dialect)))}
    if not isinstance(route.auth, NoAuth):
        described["security"] = [{name: []}]
    return described


def _responses(route: RouteSettings, dialect: Dialect, method: str) -> Description:
    status = route.response.status or 200
    responses = {
        **bare(408, 431),
        **errors(400, 404, 409, 413, 422, 503),
        **denials(401, 403),
        **(errors(429) if route.rate_limit else {}),
        **(bare(304) if method in _BODILESS else {}),
        str(status): _taken(route, dialect, status),
    }
    if route.respond == "when_finished":
        responses |= {"500": answer(500, json_content(_FAILED))}
        responses |= {"202": _taken(route, dialect, 202)}
        responses |= {str(status): answer(status, json_content({"type": "object"}))}
    return responses


def _taken(route: RouteSettings, dialect: Dialect, status: int) -> Description:
    if route.response.no_body or status in {204, 304}:
        return answer(status)
    if route.response.data is not None or "content-type" in {name.lower() for name in route.response.headers}:
        return answer(status, {"*/*": {}})
    return answer(status, json_content(_acknowledgement(dialect)))


def _acknowledgement(dialect: Dialect) -> Description:
    sample = dialect.acknowledge(RequestReference(request_id=_SAMPLE_ID, dialect=dialect.name))
    properties: dict[str, JsonValue] = {
        name: {"type": "string"} if value == _SAMPLE_ID else {"const": value} for name, value in sample.items()
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _preflight() -> Description:
    return {"summary": "CORS preflight", "tags": ["webhooks"], "responses": bare(204)}
