"""Reading the error bodies that image services send, whatever their shape.

OpenAI `{"error": {message, type, param, code}}`, plain `{"error": "text", "code": ...}`, FastAPI and fal
`{"detail": "text" | [{loc, msg, type}]}`, RFC 7807 `{title, detail}`, Google `{"error": {status, details}}`,
Stability `{name, errors: []}`. What is none of these is shown as text and is not `structured`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from contracts.json_body import parse_json

_HOLDERS = ("error", "detail", "errors")
_TEXTS = ("message", "msg", "detail", "title", "reason", "error")
_CODES = ("code", "error_code", "type", "error_type", "status", "name")
_SHOWN = 4096
"""Bytes of text: far more than a failure keeps, so that a secret is never cut before it is found."""


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What an error body says."""

    message: str
    codes: tuple[str, ...] = ()
    """Machine codes as sent, the most specific first."""
    structured: bool = False
    """Whether this is a service's own error, not a page or text that a proxy between us may have made."""


def read_error_body(body: bytes) -> ErrorBody:
    """What the body of an error answer says; never raises."""
    content = parse_json(body)
    if not isinstance(content, dict):
        return ErrorBody(_text(body))
    holder = next((content[name] for name in _HOLDERS if content.get(name)), None)
    message, codes = _read(holder)
    _, own_codes = _read(
        {name: value for name, value in content.items() if name in {"code", "error_code", "error_type", "name"}}
    )
    fallback = content.get("message") or content.get("title")
    return ErrorBody(message or str(fallback or "no error message"), (*codes, *own_codes), holder is not None)


def _read(value: JsonValue) -> tuple[str, tuple[str, ...]]:
    if isinstance(value, dict):
        return _read_object(value)
    if isinstance(value, list):
        parts = [_read(item) for item in value]
        return "; ".join(text for text, _ in parts if text), tuple(code for _, codes in parts for code in codes)
    return ("" if value is None else str(value)), ()


def _read_object(value: dict[str, JsonValue]) -> tuple[str, tuple[str, ...]]:
    text = next((str(value[name]) for name in _TEXTS if value.get(name)), "")
    where = value.get("loc")
    located = f"{'.'.join(map(str, where))}: {text}" if isinstance(where, list) else text
    own = tuple(code for name in _CODES if isinstance(code := value.get(name), str) and code)
    return located, (*_reasons(value.get("details")), *own)


def _reasons(details: JsonValue) -> Iterator[str]:
    """Google's more specific codes: a wrong key is INVALID_ARGUMENT by its status, API_KEY_INVALID by its reason."""
    for detail in details if isinstance(details, list) else ():
        reason = detail.get("reason") if isinstance(detail, dict) else None
        if isinstance(reason, str) and reason:
            yield reason


def _text(body: bytes) -> str:
    text = body[:_SHOWN].decode("utf-8", "replace").strip()
    if not text:
        return "no content"
    return "an HTML page" if text.startswith("<") else text
