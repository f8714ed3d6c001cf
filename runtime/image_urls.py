"""Signed, expiring image URLs: made by the callback, checked by the starter. One signing key serves both."""

from __future__ import annotations

import hmac
from hashlib import sha256

PREFIX = "/images/"
_MOST_DIGITS = 12


def sign(base_url: str, digest: str, expires_at: int, key: str) -> str:
    """The URL of the image with that SHA-256, valid until `expires_at` (epoch seconds)."""
    return f"{base_url}{PREFIX}{digest}?expires={expires_at}&signature={_signature(digest, str(expires_at), key)}"


def is_valid(digest: str, expires_at: str, signature: str, *, key: str, now: float) -> bool:
    """Whether a URL's parts carry our signature and have not expired. Compares in constant time."""
    if not (expires_at.isascii() and expires_at.isdigit() and len(expires_at) <= _MOST_DIGITS):
        return False
    expected = _signature(digest, expires_at, key)
    return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")) and now < int(expires_at)


def _signature(digest: str, expires_at: str, key: str) -> str:
    return hmac.new(key.encode(), f"{digest}\n{expires_at}".encode(), sha256).hexdigest()
