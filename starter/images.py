"""Images from the store behind signed, expiring URLs. Nothing can be listed or guessed."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

import structlog
from starlette.requests import Request
from starlette.responses import Response

from runtime.blobs import BlobStore, image_key
from runtime.image_urls import is_valid
from runtime.secrets import SecretMissingError, resolve_any
from runtime.settings import Settings
from starter.wire import n8n_answers

_log = structlog.get_logger(__name__)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MAGIC = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


class SignedImages:
    """`GET /images/{sha256}?expires=...&signature=...`."""

    def __init__(self, settings: Settings, blobs: BlobStore) -> None:
        self._signing_keys = settings.store.signing_key
        self._blobs = blobs

    async def answer(self, request: Request) -> Response:
        """The image, 403 without a valid signature, 404 where the store does not hold it."""
        digest = request.path_params["digest"]
        if self._signing_keys is None or not _DIGEST.fullmatch(digest):
            return n8n_answers.error_answer(404, "There is no such image.")
        try:
            remaining_s = _remaining_s(request, digest, resolve_any(self._signing_keys))
        except SecretMissingError as error:
            _log.error("secret_missing", reason=str(error))
            return n8n_answers.error_answer(503, "Images cannot be served now.")
        if remaining_s is None:
            return n8n_answers.error_answer(403, "The image URL is not valid or has expired.")
        data = await self._blobs.read(image_key(digest))
        if data is None:
            return n8n_answers.error_answer(404, "There is no such image.")
        return _image(data, digest, remaining_s)


def media_type(data: bytes) -> str:
    """The type that the first bytes of an image tell."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((name for magic, name in _MAGIC if data.startswith(magic)), "application/octet-stream")


def _remaining_s(request: Request, digest: str, keys: Sequence[str]) -> int | None:
    expires, signature = request.query_params.get("expires", ""), request.query_params.get("signature", "")
    now = time.time()
    return int(int(expires) - now) if is_valid(digest, expires, signature, keys=keys, now=now) else None


def _image(data: bytes, digest: str, remaining_s: int) -> Response:
    headers = {
        # A shared cache must not outlive the signature.
        "Cache-Control": f"private, max-age={remaining_s}, immutable",
        "ETag": f'"{digest}"',
        "X-Content-Type-Options": "nosniff",
        "Content-Type": media_type(data),
    }
    return Response(data, headers=headers)
