"""Whether bytes are an image that Odoo can use: sniffed, never believed, and decoded to the last pixel."""

from __future__ import annotations

import io
import re
import struct
import zlib
from dataclasses import dataclass

from PIL import Image

from activities.services.base import ServiceError
from contracts.errors import FailureClass, make_failure

PIXEL_LIMIT = 64 * 2**20
"""Most pixels that are decoded: about 256 MB of memory."""

# Pillow itself only warns between its limit and twice that; `_decode` refuses before any pixel is decoded.
Image.MAX_IMAGE_PIXELS = None

_MAGIC = re.compile(
    rb"(?P<png>\x89PNG\r\n\x1a\n)|(?P<jpeg>\xff\xd8\xff)|(?P<webp>RIFF....WEBP)|(?P<gif>GIF8[79]a)", re.DOTALL
)
_NOT_IMAGES = (
    (re.compile(rb"\s*(<!doctype html|<html|<head|<body)", re.IGNORECASE), "an HTML page"),
    (re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml.*?)?<svg", re.IGNORECASE | re.DOTALL), "an SVG drawing"),
    (re.compile(rb"\s*[\[{]"), "JSON"),
)
_HEAD = 1024
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, OverflowError, struct.error, zlib.error)


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What an image is. `width` and `height` are pixels."""

    media_type: str
    width: int
    height: int


def inspect(data: bytes, limit: int) -> ImageFacts:
    """The facts of an image of at most `limit` bytes; raises `ServiceError(ArtifactInvalid)`.

    Decodes the (first) picture whole, which takes CPU: call it through `asyncio.to_thread`.
    """
    if len(data) > limit:
        raise invalid(f"the image has {len(data)} bytes, more than the service's image_limit of {limit}")
    media_type = sniff(data)
    width, height = _decode(data, media_type.partition("/")[2].upper())
    return ImageFacts(media_type, width, height)


def sniff(data: bytes) -> str:
    """The media type by the first bytes: png, jpeg, webp or gif; raises `ServiceError(ArtifactInvalid)`."""
    if not data:
        raise invalid("the image has no bytes")
    match = _MAGIC.match(data)
    if match is None:
        raise invalid(f"not a PNG, JPEG, WebP or GIF image, but {_looks_like(data[:_HEAD])}")
    return f"image/{match.lastgroup}"


def invalid(reason: str) -> ServiceError:
    """The error that says why an artifact cannot be used."""
    return ServiceError(make_failure(FailureClass.ARTIFACT_INVALID, reason))


def _looks_like(head: bytes) -> str:
    return next((name for pattern, name in _NOT_IMAGES if pattern.match(head)), "unknown data")


def _decode(data: bytes, image_format: str) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(data), formats=[image_format]) as image:
            width, height = image.size
            if width * height > PIXEL_LIMIT:
                raise invalid(f"the image has {width}x{height} pixels, more than the {PIXEL_LIMIT} that are decoded")
            image.load()
    except _BROKEN as error:
        raise invalid(f"the {image_format} image is damaged or cut off: {error}") from None
    return width, height
