"""Hiding secrets in what is written to logs: by the name of the field, by known values, by well-known forms."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from urllib.parse import quote

REDACTED = "[redacted]"

_MOST_SECRETS = 256
# Replacing shorter values would tear ordinary words apart.
_SHORTEST = 6
_DEPTH = 8

_SECRET_NAME = re.compile(r"(?i)authorization|secret|token|passw|api[_-]?key|signature|signing|credential|cookie")
_ASSIGNED = r"(?i)((?:secret|token|password|api[_-]?key|signature)[\"']?\s*[=:]\s*[\"']?)[^\s&\"',;}]+"
_SECRET_FORMS = (
    (re.compile(_ASSIGNED), rf"\1{REDACTED}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{16,}"), rf"\1 {REDACTED}"),
    (re.compile(r"(://)[^\s/@]+@"), rf"\1{REDACTED}@"),
)

_secrets: dict[str, tuple[str, ...]] = {}
_lock = threading.Lock()


def register_secret(value: str) -> None:
    """Hide this value wherever it appears from now on. The newest 256 values are kept."""
    if len(value) < _SHORTEST or value in _secrets:
        return
    with _lock:
        while len(_secrets) >= _MOST_SECRETS:
            del _secrets[next(iter(_secrets))]
        # A value also shows up as Python writes it in a repr and as a URL encodes it.
        _secrets[value] = tuple({value, repr(value)[1:-1], quote(value, safe="")})


def redact_text(text: str) -> str:
    """The text without registered secrets and without what looks like one."""
    for form in sorted((form for forms in tuple(_secrets.values()) for form in forms), key=len, reverse=True):
        text = text.replace(form, REDACTED)
    for pattern, replacement in _SECRET_FORMS:
        text = pattern.sub(replacement, text)
    return text


def redact(value: object, name: str = "", depth: int = 0) -> object:
    """The value as JSON can write it, with secrets replaced at any depth; `name` is the field's."""
    if value is None or isinstance(value, bool):
        return value
    if _SECRET_NAME.search(name):
        return REDACTED
    if isinstance(value, int | float):
        return value
    if isinstance(value, Mapping) and depth < _DEPTH:
        return {str(key): redact(item, str(key), depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and depth < _DEPTH:
        return [redact(item, name, depth + 1) for item in value]
    return redact_text(value if isinstance(value, str) else repr(value))
