"""Reading callbacks back: what an outcome said, whoever rendered it. As tolerant as the dialects are to each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import JsonValue

_COMPLETED = frozenset({"completed", "success"})
_FAILED = frozenset({"failed", "failure", "error"})
_IDS: Mapping[str, str] = MappingProxyType(
    {
        "event": "requestId",
        "correlation": "correlationId",
        "request": "request_id",
        "adapter": "request_id",
        "endpoint": "ai_generation_request_id",
        "odoo_action": "request_id",
    }
)
_INLINE = ("imageData", "image_data", "image_data_b64")
_BY_URL = ("imageUrl", "image_url")
_DATA_URI = "data:"


@dataclass(frozen=True, slots=True)
class ToldImage:
    """One image of a callback: exactly one of `base64` and `url` is there."""

    base64: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class ToldOutcome:
    """What a callback says."""

    request_id: str
    completed: bool
    error_code: str | None = None
    images: tuple[ToldImage, ...] = ()


def read_outcome(dialect: str, body: JsonValue) -> ToldOutcome | None:
    """What a callback in that dialect says, in or out of a JSON-RPC envelope; None where it cannot be read."""
    content = _unwrapped(body)
    request_id = content.get(_IDS[dialect])
    told = _mapping(content.get("result_payload")) or content
    status = told.get("status")
    if not isinstance(request_id, str) or not isinstance(status, str) or status not in _COMPLETED | _FAILED:
        return None
    completed = status in _COMPLETED
    return ToldOutcome(
        request_id,
        completed,
        None if completed else _error_code(told),
        tuple(_images(told)) if completed else (),
    )


def _unwrapped(body: JsonValue) -> Mapping[str, JsonValue]:
    content = _mapping(body)
    return _mapping(content.get("params")) if "jsonrpc" in content else content


def _mapping(value: JsonValue) -> Mapping[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _error_code(told: Mapping[str, JsonValue]) -> str | None:
    codes = (
        told.get("errorCode"),
        told.get("error_code"),
        _mapping(told.get("error")).get("code"),
        _mapping(told.get("error_data")).get("details"),
    )
    return next((code for code in codes if isinstance(code, str) and code), None)


def _images(told: Mapping[str, JsonValue]) -> Iterator[ToldImage]:
    listed = told.get("images")
    holders = listed if isinstance(listed, list) else [dict(_mapping(told.get("data")) or told)]
    for holder in map(_mapping, holders):
        image = _image(holder)
        if image is not None:
            yield image


def _image(holder: Mapping[str, JsonValue]) -> ToldImage | None:
    for text in filter(None, map(holder.get, _INLINE)):
        return ToldImage(base64=str(text))
    for text in filter(None, map(holder.get, _BY_URL)):
        url = str(text)
        return ToldImage(base64=url.partition(",")[2]) if url.startswith(_DATA_URI) else ToldImage(url=url)
    return None
