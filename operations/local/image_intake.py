"""Taking the image out of a callback (base64, data: URI or a URL to fetch) and looking whether it is one."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
from dataclasses import dataclass

import httpx
from PIL import Image

from operations.local.callback_bodies import CallbackBodyError, ImageSource

_LARGEST = 50 * 2**20
"""Bytes."""


@dataclass(frozen=True, slots=True)
class TakenImage:
    """An image that was looked at: it is complete and of this kind."""

    content: bytes
    sha256: str
    media_type: str
    width: int
    height: int


async def take_image(source: ImageSource, client: httpx.AsyncClient) -> TakenImage:
    """The image of a source; raises `CallbackBodyError` where it is none or not as the body claims."""
    image = _inspect(await _bytes(source, client))
    claims = {
        "media type": (source.media_type, image.media_type),
        "size": (source.size, len(image.content)),
        "width": (source.width, image.width),
        "height": (source.height, image.height),
        "SHA-256": (source.sha256, image.sha256),
    }
    for name, (claimed, actual) in claims.items():
        if claimed is not None and claimed != actual:
            raise CallbackBodyError(f"image: its {name} is {actual}, the body claims {claimed}")
    return image


async def _bytes(source: ImageSource, client: httpx.AsyncClient) -> bytes:
    if source.base64 is not None:
        return _decode(source.base64)
    url = source.url or ""
    if url.startswith("data:"):
        head, _, text = url.partition(",")
        if not head.endswith(";base64"):
            raise CallbackBodyError("image: the data: URI is not base64")
        return _decode(text)
    return await _fetch(url, client)


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise CallbackBodyError("image: not valid base64") from None


async def _fetch(url: str, client: httpx.AsyncClient) -> bytes:
    content = bytearray()
    try:
        async with client.stream("GET", url) as answer:
            answer.raise_for_status()
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > _LARGEST:
                    raise CallbackBodyError(f"image: larger than {_LARGEST} bytes")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CallbackBodyError(f"image: cannot be fetched: {reason}") from None
    return bytes(content)


def _inspect(content: bytes) -> TakenImage:
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            media_type, (width, height) = Image.MIME[image.format or ""], image.size
    except (OSError, SyntaxError, ValueError, KeyError, Image.DecompressionBombError):
        raise CallbackBodyError(f"image: these {len(content)} bytes are no complete image") from None
    return TakenImage(content, hashlib.sha256(content).hexdigest(), media_type, width, height)
