"""Reading callbacks: hostile JSON in, one checked `Outcome` out."""

import base64
import binascii
import hashlib
import json
import re
from typing import NamedTuple

from . import images
from .wire_fields import Fields, RefusedError

IDS = {
    "event": "requestId",
    "correlation": "correlationId",
    "request": "request_id",
    "adapter": "request_id",
    "endpoint": "ai_generation_request_id",
}
COMPLETED = frozenset({"completed", "success"})
FAILED = frozenset({"failed", "failure", "error"})
MOST_IMAGES = 32
URL_LIMIT = 4096
MESSAGE_LIMIT = 500
_SHA256 = re.compile("[0-9a-fA-F]{64}")
_DATA_URI = re.compile(r"data:[A-Za-z0-9.+/-]{0,100}(;[A-Za-z0-9=._-]{1,100}){0,5};base64,", re.IGNORECASE)


class ImageTold(NamedTuple):
    """One image: its bytes or its URL, and what was said of it."""

    data: bytes | None
    url: str | None
    sha256: str | None
    facts: dict
    """seed, cost, currency, service; width and height where only they tell them."""

    @property
    def identity(self):
        """The same for the same image, inline or by URL; a URL's signature does not count."""
        return self.sha256 or f"url:{self.url.partition('?')[0]}"


class Outcome(NamedTuple):
    """What a callback says."""

    key: str
    completed: bool
    code: str = ""
    message: str = ""
    images: tuple = ()
    execution_id: str = ""

    @property
    def digest(self):
        """SHA-256 of what counts: the same outcome told twice has the same digest."""
        counted = [image.identity for image in self.images] if self.completed else [self.code, self.message]
        return hashlib.sha256(json.dumps([self.completed, counted]).encode()).hexdigest()


def read_outcome(dialect, content):
    """The outcome in a callback's body; raises `RefusedError` naming the field that is wrong."""
    body = Fields(content)
    key = body.identifier(IDS[dialect])
    told = body.object("result_payload", required=True) if dialect == "endpoint" else body
    status = told.text("status", 40, required=True)
    if status in COMPLETED:
        found = tuple(_images(dialect, told))
        return Outcome(key, True, images=found, execution_id=body.text("n8n_execution_id", 200) or "")
    if status in FAILED:
        return Outcome(key, False, *_failure(dialect, told), execution_id=body.text("n8n_execution_id", 200) or "")
    raise RefusedError(422, f"{told.path('status')} must be one of {', '.join(sorted(COMPLETED | FAILED))}")


def _failure(dialect, told):
    if dialect == "request":
        error = told.object("error")
        code, message = error.text("code", 100), error.text("message")
    elif dialect == "endpoint":
        error = told.object("error_data")
        code, message = error.text("details"), error.text("message")
    elif dialect == "adapter":
        code, message = told.text("error_code", 100), told.text("error_message")
    else:
        code, message = told.text("errorCode", 100), told.text("errorMessage")
    return (code or "UNKNOWN_ERROR")[:100], (message or "")[:MESSAGE_LIMIT]


def _images(dialect, told):
    if dialect == "adapter":
        holders = told.objects("images", MOST_IMAGES)
        return [_image(holder, "image_data_b64", "image_url", holder.object("metadata")) for holder in holders]
    if dialect == "endpoint":
        data = told.object("data", required=True)
        return [_image(data, "image_data", "image_url", data)]
    if dialect == "request":
        return [_image(told, "image_data", "image_url", told.object("metadata"))]
    if dialect == "correlation":
        return [_image(told, "imageData", "imageUrl", told.object("metadata"))]
    return [_image(told, "imageData", "imageUrl", told.object("imageMetadata"), told.text("hashValue", 64))]


def _image(holder, inline, by_url, metadata, sha256=None):
    said = sha256 or metadata.text("sha256", 64)
    if said and not _SHA256.fullmatch(said):
        raise RefusedError(422, "the SHA-256 must be 64 hexadecimal digits")
    facts = _facts(metadata)
    text, url = holder.text(inline), holder.text(by_url)
    if not text and url and url[:5].lower() == "data:":
        text, url = url, None
    if text:
        data = _decoded(text, holder.path(inline))
        digest = hashlib.sha256(data).hexdigest()
        if said and said.lower() != digest:
            raise RefusedError(422, f"{holder.path(inline)} does not have the SHA-256 that is told")
        return ImageTold(data, None, digest, facts)
    if not url:
        raise RefusedError(422, f"{holder.path(inline)} or {holder.path(by_url)} is required and missing")
    if len(url) > URL_LIMIT or not url.isascii() or not url.isprintable():
        raise RefusedError(422, f"{holder.path(by_url)} must be a URL of at most {URL_LIMIT} characters")
    return ImageTold(None, url, said.lower() if said else None, facts)


def _facts(metadata):
    cost, currency = metadata.cost()
    return {
        "width": metadata.pixels("width") or metadata.pixels("actual_width"),
        "height": metadata.pixels("height") or metadata.pixels("actual_height"),
        "seed": metadata.seed("seed") or metadata.seed("seed_used"),
        "service": metadata.text("service", 200)
        or metadata.text("model", 200)
        or metadata.text("model_used_identifier", 200),
        "cost": cost,
        "currency": currency,
    }


def _decoded(text, path):
    if text[:5].lower() == "data:":
        match = _DATA_URI.match(text)
        if not match:
            raise RefusedError(422, f"{path} must be base64 or a data: URI with ;base64")
        text = text[match.end() :]
    if any(blank in text for blank in "\r\n \t"):
        text = "".join(text.split())
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise RefusedError(422, f"{path} is not valid base64") from None
    if not images.look(data):
        raise RefusedError(422, f"{path} is not a PNG, JPEG, GIF, WebP or AVIF image")
    return data
