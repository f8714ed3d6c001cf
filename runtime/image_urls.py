"""Signed, expiring image URLs: made by the callback, checked by the starter. The same signing keys serve both."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import sha256

PREFIX = "/images/"
_MOST_DIGITS = 12


def sign(base_url: str, digest: str, expires_at: int, key: str) -> str:
    """The URL of the image with that SHA-256, valid until `expires_at` (epoch seconds)."""
    return f"{base_url}{PREFIX}{digest}?expires={expires_at}&signature={_signature(digest, str(expires_at), key)}"


def is_valid(digest: str, expires_at: str, signature: str, *, keys: Sequence[str], now: float) -> bool:
    """Whether a URL's parts carry a signature by one of our keys and have not expired. Compares in constant time."""
    if not (expires_at.isascii() and expires_at.isdigit() and len(expires_at) <= _MOST_DIGITS):
        return False
    given, expected = signature.encode("utf-8", "replace"), [_signature(digest, expires_at, key) for key in keys]
    return any(hmac.compare_digest(one.encode(), given) for one in expected) and now < int(expires_at)


def _signature(digest: str, expires_at: str, key: str) -> str:
    return hmac.new(key.encode(), f"{digest}\n{expires_at}".encode(), sha256).hexdigest()
