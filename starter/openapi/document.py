"""The whole description of a starter with a given configuration."""

from __future__ import annotations

import json

from pydantic import JsonValue

from runtime.settings import NoAuth, Settings
from starter.openapi.answers import SCHEMAS, Description
from starter.openapi.interfaces import interface_paths, interface_schemas
from starter.openapi.webhooks import dialect_schemas, security_scheme, webhook_paths

_ABOUT = """\
An n8n-compatible webhook front: requests for images are made durable, acknowledged, and answered by callbacks.

Every path that is not listed answers 404, a known path with another method 404 (webhooks) or 405 (the others). What is
no proper HTTP request gets n8n's bare 400, 408 or 431. A body that misses fields of its dialect is acknowledged all the
same; its callback says what is wrong. The same id with the same content gets the same answer again and starts nothing.
"""


def document(settings: Settings) -> Description:
    """The OpenAPI 3.1 description."""
    schemes = _security_schemes(settings)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Odoo image orchestrator: starter", "version": "1", "description": _ABOUT},
        "paths": {**webhook_paths(settings), **interface_paths(secured="api" in schemes)},
        "components": {
            "schemas": {**SCHEMAS, **dialect_schemas(settings), **interface_schemas()},
            "securitySchemes": schemes,
        },
    }


def rendered(settings: Settings) -> str:
    """The description as JSON text."""
    return json.dumps(document(settings), indent=2, ensure_ascii=False) + "\n"


def _security_schemes(settings: Settings) -> Description:
    routes = {name: route.auth for name, route in settings.routes.items() if not isinstance(route.auth, NoAuth)}
    schemes: dict[str, JsonValue] = {name: security_scheme(auth) for name, auth in routes.items()}
    api = settings.api.auth
    return schemes if api is None or isinstance(api, NoAuth) else {**schemes, "api": security_scheme(api)}
