"""What the one who listens on a test URL is shown of a call. Secrets are hidden, whatever the sender put where."""

from __future__ import annotations

from urllib.parse import parse_qsl

from pydantic import JsonValue, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from contracts.search_attributes import keyword
from runtime.redaction import REDACTED, redact, redact_text
from runtime.settings import HeaderAuth, WebhookAuth
from starter.api.listeners import HeardCall, RefusedCall
from starter.intake.reading import Rehearsed
from starter.wire.body_kinds import WebhookBody
from starter.wire.refusals import RefusedError
from starter.wire.routing import Webhook

_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)
_SHOWN = 2000


def heard_call(webhook: Webhook, request: Request, body: WebhookBody, rehearsed: Rehearsed) -> HeardCall:
    """What came, and what the dialect made of it."""
    asked, reference = rehearsed.intake.request, rehearsed.intake.reference
    return HeardCall(
        route=webhook.name,
        dialect=webhook.dialect.name,
        method=request.method,
        path=redact_text(request.url.path),
        query=_hidden(dict(parse_qsl(request.url.query, keep_blank_values=True))),
        headers=tuple(_headers(webhook.settings.auth, request)),
        body=_JSON.validate_python(redact(dict(body.fields))),
        request_id=keyword(reference.request_id),
        fields=_hidden(asked.model_dump(mode="json")) if asked else {},
        problems=rehearsed.intake.problems,
        callback_url=redact_text(rehearsed.intake.callback_url) if rehearsed.intake.callback_url else None,
        service=rehearsed.submission.input.service,
        status=rehearsed.answer.status_code,
        answer=_text(rehearsed.answer),
    )


def refused_call(request: Request, refused: RefusedError) -> RefusedCall:
    """What was turned away, and how."""
    answer = refused.answer
    return RefusedCall(
        method=request.method, status=answer.status_code, reason=refused.result.value, answer=_text(answer)
    )


def _headers(auth: WebhookAuth, request: Request) -> list[tuple[str, str]]:
    secret = auth.name.lower() if isinstance(auth, HeaderAuth) else None
    return [(name, REDACTED if name == secret else str(redact(value, name))) for name, value in request.headers.items()]


def _hidden(fields: dict[str, str] | dict[str, JsonValue]) -> dict[str, JsonValue]:
    hidden = _JSON.validate_python(redact(fields))
    return hidden if isinstance(hidden, dict) else {}


def _text(answer: Response) -> str:
    return bytes(answer.body).decode("utf-8", "replace")[:_SHOWN]
