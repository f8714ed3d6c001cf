"""What a body says, by its Content-Type, read as n8n reads it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from urllib.parse import unquote_plus

from pydantic import JsonValue
from starlette.requests import Request

from starter.wire.bodies import read_body, skip_body, unparsable
from starter.wire.form_parts import form_fields
from starter.wire.json_bodies import parse_json
from starter.wire.refusals import RefusedError
from starter.wire.repeated_fields import add_field
from starter.wire.xml_bodies import parse_xml

_CHARSET = re.compile(r';\s*charset\s*=\s*(?:"([^"]*)"|([^\s;"]+))', re.IGNORECASE)
_NODE_NAMES = {
    **dict.fromkeys(("utf-8", "utf8"), "utf-8"),
    **dict.fromkeys(("utf-16le", "utf16le", "ucs-2", "ucs2"), "utf-16-le"),
    **dict.fromkeys(("latin1", "binary"), "latin-1"),
    "ascii": "ascii",
}
"""The charsets that n8n's runtime knows, under its names for them."""
_MOST_FIELDS = 1000


class Kind(Enum):
    """How a body is read."""

    JSON = "json"
    FORM = "form"
    MULTIPART = "multipart"
    XML = "xml"
    TEXT = "text"
    UNDECLARED = "undeclared"
    """Without a Content-Type: n8n sees nothing; we read JSON where it is some."""
    OTHER = "other"
    """A file. n8n puts it beside the body, which stays empty."""


_KINDS = {
    "": Kind.UNDECLARED,
    "application/json": Kind.JSON,
    "application/x-www-form-urlencoded": Kind.FORM,
    "multipart/form-data": Kind.MULTIPART,
    "text/plain": Kind.TEXT,
}


@dataclass(frozen=True, slots=True)
class ContentType:
    """A Content-Type header, understood."""

    header: str
    kind: Kind
    charset: str = "utf-8"
    """In lower case, as the sender named it."""


@lru_cache(maxsize=256)
def content_type(header: str) -> ContentType:
    """What a Content-Type header says; any header has a meaning."""
    media_type = header.partition(";")[0].strip().lower()
    is_xml = media_type.endswith(("/xml", "+xml"))
    kind = Kind.XML if is_xml else _KINDS.get(media_type, Kind.OTHER)
    match = _CHARSET.search(header)
    return ContentType(header, kind, (match[1] or match[2] or "").lower() if match else "utf-8")


@dataclass(frozen=True, slots=True)
class WebhookBody:
    """A body as it came, unpacked, and what it says."""

    raw: bytes
    """Empty where nobody looks at it: a file that came as the body."""
    fields: Mapping[str, JsonValue]


async def webhook_body(request: Request, limit: int, *, keep: bool = False) -> WebhookBody:
    """Read a webhook's body; a file that is the body is not kept, unless `keep`, and then not limited as strictly.

    Raises `RefusedError` (413, 422; 400 for broken parts).
    """
    declared = content_type(request.headers.get("content-type", ""))
    if declared.kind is Kind.OTHER and not keep:
        await skip_body(request, limit)
        return WebhookBody(b"", {})
    raw = await read_body(request, limit)
    return WebhookBody(raw, await read_fields(raw, declared))


async def read_fields(body: bytes, declared: ContentType) -> Mapping[str, JsonValue]:
    """The fields of a body; a value that has none is given as the field `body`, so that it still counts as content.

    Raises `RefusedError` (422; 400 for broken parts).
    """
    value = await _value(body, declared) if body else {}
    if isinstance(value, dict):
        return value
    return {"body": value} if value else {}


async def _value(body: bytes, declared: ContentType) -> JsonValue:
    if declared.kind is Kind.OTHER:
        return {}
    if declared.kind is Kind.MULTIPART:
        return await form_fields(body, declared.header)
    return _READERS[declared.kind](_text(body, declared))


def _text(body: bytes, declared: ContentType) -> str:
    charset = _NODE_NAMES.get(declared.charset)
    if charset is None:
        raise unparsable(f"Unknown encoding: {declared.charset}")
    return body.decode(charset, errors="replace")


def _perhaps_json(text: str) -> JsonValue:
    try:
        return parse_json(text)
    except RefusedError:
        return {}


def _form(text: str) -> dict[str, JsonValue]:
    fields: dict[str, JsonValue] = {}
    for pair in text.split("&", _MOST_FIELDS)[:_MOST_FIELDS]:
        name, _, value = pair.partition("=")
        if pair:
            add_field(fields, unquote_plus(name), unquote_plus(value))
    return fields


_READERS: Mapping[Kind, Callable[[str], JsonValue]] = {
    Kind.JSON: parse_json,
    Kind.FORM: _form,
    Kind.XML: parse_xml,
    Kind.TEXT: str,
    Kind.UNDECLARED: _perhaps_json,
}
