"""The answers of the starter as OpenAPI describes them."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from pydantic import JsonValue

Description = dict[str, JsonValue]

_MEANINGS: Mapping[int, str] = {
    200: "Taken.",
    202: "Taken and going on: the time to wait for its outcome is over.",
    304: "The caller has this answer already (`If-None-Match`).",
    400: "No proper HTTP request, or broken parts of a form.",
    401: "Credentials are missing or wrong.",
    403: "The caller may not do this, or a secret is wrong.",
    404: "There is nothing here.",
    405: "Not with this method.",
    408: "The request did not arrive in time.",
    409: "It is not in a state for this; for a webhook: the id was taken before by a request with other content.",
    413: "The request is too large.",
    422: "The body cannot be read, or what it names is not allowed.",
    429: "Too many requests of this caller.",
    431: "Request line and headers have more than 16 KiB.",
    500: "The request ended without an image.",
    503: "Not taken: it cannot be made durable now. Send it again.",
}

SCHEMAS: Mapping[str, Description] = {
    "Error": {
        "type": "object",
        "properties": {
            "code": {"type": "integer"},
            "message": {"type": "string"},
            "hint": {"type": "string"},
            "routes": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["code", "message"],
        "additionalProperties": False,
    },
}
"""What several answers share."""

_RETRY_AFTER: Description = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}, "required": True}
}
_CHALLENGE: Description = {
    "WWW-Authenticate": {"description": "n8n's, whatever the credentials are.", "schema": {"type": "string"}}
}


def reference(name: str) -> Description:
    """A schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def json_content(schema: Description) -> Description:
    """A JSON body."""
    return {"application/json": {"schema": schema}}


def answer(status: int, content: Description | None = None, headers: Description | None = None) -> Description:
    """One answer; without `content` nothing is said of its body."""
    described: Description = {"description": _MEANINGS.get(status, HTTPStatus(status).phrase)}
    return described | ({"content": content} if content else {}) | ({"headers": headers} if headers else {})


def errors(*statuses: int) -> Description:
    """Errors in n8n's form: code, message and, where there is one, hint."""
    waits = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
    return {
        str(status): answer(status, json_content(reference("Error")), _RETRY_AFTER if status in waits else None)
        for status in statuses
    }


def bare(*statuses: int) -> Description:
    """Answers of which only the status counts; before a request is read they have neither type nor body."""
    return {str(status): answer(status) for status in statuses}


def denials(*statuses: int) -> Description:
    """n8n's denials: text without a Content-Type."""
    return {str(status): answer(status, headers=_CHALLENGE) for status in statuses}
