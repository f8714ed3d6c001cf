"""Who may use the starter's own interfaces below `/api`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from runtime.settings import Settings
from starter.access.authentication import denial
from starter.wire import n8n_answers


def turned_away(settings: Settings, request: Request) -> Response | None:
    """The answer to a caller without `api.auth`'s credentials, or None; raises `SecretMissingError`."""
    auth = settings.api.auth
    if auth is None:
        return n8n_answers.error_answer(404, "This interface is off: set api.auth to open it.")
    denied = denial(auth, request.headers)
    headers = {"WWW-Authenticate": 'Basic realm="API"'} if denied and denied.status == 401 else None  # noqa: PLR2004
    return n8n_answers.error_answer(denied.status, denied.message, headers=headers) if denied else None
