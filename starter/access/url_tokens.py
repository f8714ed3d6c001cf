"""Secret tokens in URLs, for callers that can set no header: taken off the path before anything else sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.requests import Request

from runtime.secrets import resolve_any
from runtime.settings import UrlTokenAuth
from starter.access.authentication import Denied, equals_any
from starter.wire import n8n_answers

if TYPE_CHECKING:
    from starter.wire.routing import Target, Webhook

PARAMETER = "token"
"""The query parameter that holds the token where the path does not."""


def without_token(target: Target, webhooks_at: Callable[[str], Mapping[str, Webhook]]) -> Target:
    """The target with its last segment apart, where only that makes it the path of a webhook with such a token."""
    if webhooks_at(target.path):
        return target
    path, _, token = target.path.rpartition("/")
    takes = any(isinstance(webhook.settings.auth, UrlTokenAuth) for webhook in webhooks_at(path).values())
    return replace(target, path=path, token=token) if takes else target


def url_token_denial(auth: UrlTokenAuth, in_path: str | None, request: Request) -> Denied | None:
    """Why this URL does not open the door, or None where it does; raises `SecretMissingError`."""
    given = request.query_params.getlist(PARAMETER) if in_path is None else [in_path]
    token = given[0] if len(given) == 1 else ""
    matches = equals_any(token.encode("utf-8", "replace"), resolve_any(auth.secret))
    return None if matches else Denied(403, n8n_answers.HEADER_WRONG)
