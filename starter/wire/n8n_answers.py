"""Every answer that n8n gives on its webhooks, byte for byte as recorded. No other module spells one."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from pydantic import JsonValue
from starlette.responses import Response

_NOT_ACTIVE = (
    "The workflow must be active for a production URL to run successfully. You can activate the workflow using the "
    "toggle in the top-right of the editor. Note that unlike test URL calls, production URL calls aren't shown on "
    "the canvas (only in the executions list)"
)
_NOT_LISTENING = (
    "Click the 'Execute workflow' button on the canvas, then try again. (In test mode, the webhook only works for "
    "one call after you click this button)"
)
_SANDBOX = (
    "sandbox allow-downloads allow-forms allow-modals allow-orientation-lock allow-pointer-lock allow-popups "
    "allow-popups-to-escape-sandbox allow-presentation allow-scripts allow-top-navigation-by-user-activation "
    "allow-top-navigation-to-custom-protocols"
)

JSON = "application/json; charset=utf-8"
"""The Content-Type of JSON answers."""
_BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)

BASIC_MISSING = "Authorization is required!"
BASIC_WRONG = "Authentication data is wrong!"
HEADER_WRONG = "Authorization data is wrong!"
UNTOKENED = "No token provided"


def etag(body: bytes) -> str:
    """The weak entity tag that n8n's web framework derives from a body."""
    digest = base64.b64encode(hashlib.sha1(body, usedforsecurity=False).digest()).decode()
    return f'W/"{len(body):x}-{digest[:27]}"'


def to_json(content: Mapping[str, JsonValue]) -> bytes:
    """A JSON body as n8n's web framework writes it."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def json_answer(status: int, content: Mapping[str, JsonValue], headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer with n8n's headers, `headers` added."""
    body = to_json(content)
    common = {"ETag": etag(body), "Vary": "Accept-Encoding", **(headers or {})}
    return Response(body, status, common, media_type=JSON)


def error_answer(
    status: int, message: str, hint: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """n8n's form of an error: code, message and, where there is one, hint."""
    content: dict[str, JsonValue] = {"code": status, "message": message}
    return json_answer(status, content if hint is None else {**content, "hint": hint}, headers)


def acknowledged(content: Mapping[str, JsonValue]) -> Response:
    """200 to a request that was taken."""
    return accepted(HTTPStatus.OK, to_json(content), JSON, {})


def accepted(status: int, body: bytes, media_type: str, headers: Mapping[str, str]) -> Response:
    """The answer to a request that was taken; `headers` (names in lower case) may change its Content-Type."""
    common = {"content-type": media_type, "vary": "Accept-Encoding", **headers, "content-security-policy": _SANDBOX}
    if status in _BODILESS:
        del common["content-type"], common["vary"]
        return Response(None, status, {**common, "etag": etag(body)})
    return Response(body, status, {"etag": etag(body), **common})


def empty(status: int, headers: Mapping[str, str]) -> Response:
    """The answer without a body to a request that was taken: chunked, and of type JSON all the same."""
    answer = accepted(status, b"", JSON, headers)
    del answer.headers["etag"]
    if "content-length" in answer.headers:
        del answer.headers["content-length"]
    return answer


def preflight() -> Response:
    """204 to every OPTIONS request on a webhook."""
    return Response(None, HTTPStatus.NO_CONTENT, {"etag": etag(b"{}")})


def not_modified(answer: Response) -> Response:
    """304 in place of an answer whose entity the caller has."""
    bodiless = {"content-type", "content-length", "transfer-encoding", "vary"}
    kept = {name: value for name, value in answer.headers.items() if name not in bodiless}
    return Response(None, HTTPStatus.NOT_MODIFIED, kept)


def healthy() -> Response:
    """200 of the health endpoints."""
    answer = json_answer(200, {"status": "ok"})
    del answer.headers["vary"]
    return answer


def not_registered(method: str, path: str) -> Response:
    """404 to a path that no route has."""
    return error_answer(404, f'The requested webhook "{method} {path}" is not registered.', _NOT_ACTIVE)


def wrong_method(method: str, registered: Sequence[str]) -> Response:
    """404 to a method that the path's routes do not have."""
    *others, last = registered
    methods = f"{', '.join(others)} or {last}" if others else last
    message = f"This webhook is not registered for {method} requests. Did you mean to make a {methods} request?"
    return error_answer(404, message)


def not_listening(path: str) -> Response:
    """404 to every test URL: test runs belong to n8n's editor, which we are not."""
    return error_answer(404, f'The requested webhook "{path}" is not registered.', _NOT_LISTENING)


def unsupported_method(method: str, supported: Sequence[str]) -> Response:
    """405 to a method that no webhook can have; n8n answers 500."""
    message = f"The method {method} is not supported."
    return error_answer(HTTPStatus.METHOD_NOT_ALLOWED, message, headers={"Allow": ", ".join(supported)})


def unparsable(hint: str) -> Response:
    """422 to a body that cannot be parsed."""
    return error_answer(422, "Failed to parse request body", hint)


def denied(status: int, message: str) -> Response:
    """401 or 403 as text without a Content-Type or a length, which makes it chunked."""
    answer = Response(message.encode(), status)
    answer.raw_headers = [(b"www-authenticate", b'Basic realm="Webhook"')]
    return answer


def address_denied() -> Response:
    """403 to an address that may not call, as text without a Content-Type or a length."""
    answer = Response(b"IP is not allowed to access the webhook!", HTTPStatus.FORBIDDEN)
    answer.raw_headers = []
    return answer


def no_such_page(method: str, path: str) -> Response:
    """404 outside every webhook."""
    return _page(404, f"Cannot {method} {path}")


def malformed_path() -> Response:
    """400 to a path whose percent-encoding is broken."""
    return _page(400, "Bad Request")


def workflow_failed() -> Response:
    """500 to a caller who waits for the outcome of a request that failed."""
    return accepted(HTTPStatus.INTERNAL_SERVER_ERROR, to_json({"message": "Error in workflow"}), JSON, {})


def crashed() -> Response:
    """500 to what we did not foresee."""
    return json_answer(500, {"code": 0, "message": "There was a problem executing the workflow"})


def _page(status: int, message: str) -> Response:
    text = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n'
        f"<body>\n<pre>{html.escape(message)}</pre>\n</body>\n</html>\n"
    )
    headers = {
        "Content-Security-Policy": "default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Vary": "Accept-Encoding",
    }
    return Response(text.encode("utf-8", "replace"), status, headers, media_type="text/html")
