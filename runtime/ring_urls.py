"""Signed callback addresses for image services: made where a service is called, checked by the starter.

The address says which request is to be woken, and for which generation; it carries no secret and gives no access to
anything. Whoever has it can only make the worker look at the job once more.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

PATH = "/services/{service}/ring/{token}"
"""The route of the starter."""
_TOKEN_LIMIT = 2048
_SIGNATURE_LENGTH = 43
"""Characters of 32 bytes in base64url without padding."""


@dataclass(frozen=True, slots=True)
class Ring:
    """Whom a service is to wake."""

    workflow_id: str
    generation: int


def ring_url(base_url: str, service: str, ring: Ring, key: str) -> str:
    """The address at which that service rings for that request; service names need no quoting."""
    payload = _encoded(f"{ring.generation}\n{ring.workflow_id}".encode())
    return base_url + PATH.format(service=service, token=payload + _signature(service, payload, key))


def read_ring(service: str, token: str, keys: Sequence[str]) -> Ring | None:
    """What a token says, or None where none of our keys made it. Compares in constant time."""
    payload, signature = token[:-_SIGNATURE_LENGTH], token[-_SIGNATURE_LENGTH:]
    if len(token) > _TOKEN_LIMIT or not token.isascii():
        return None
    ours = any(hmac.compare_digest(_signature(service, payload, key), signature) for key in keys)
    return _read(payload) if ours else None


def _read(payload: str) -> Ring | None:
    try:
        text = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()
        generation, _, workflow_id = text.partition("\n")
        return Ring(workflow_id, int(generation)) if workflow_id else None
    except (binascii.Error, ValueError):
        return None


def _signature(service: str, payload: str, key: str) -> str:
    # The first words keep it apart from the signatures of image URLs, which the same key makes.
    said = f"service ring\n{service}\n{payload}".encode()
    return _encoded(hmac.new(key.encode(), said, sha256).digest())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
