"""Whether a ring that a job is finished comes from the image service. Pure: keys and the present are passed in."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import JsonValue

from contracts.capabilities import Kind

TOLERANCE_S = 300
"""Seconds that a signed time may be off, in both directions."""
FAL_KEYS_URL = "https://rest.fal.ai/.well-known/jwks.json"
"""Where fal publishes the keys (a JSON Web Key Set); they may be kept for a day."""

_SIGNATURE_SIZE = 64
_TIME_DIGITS = 16


class BadSignatureError(Exception):
    """A ring without the service's signature. The message says what is wrong, without secrets."""


def verify(kind: Kind, headers: Mapping[str, str], body: bytes, keys: Sequence[str], now: float) -> None:
    """Raise `BadSignatureError` unless a service of this kind signed the ring with one of the keys.

    `headers` are looked up by lower-case names. `keys` are webhook secrets (replicate: `whsec_...`; bfl: as sent with
    the request) or, for fal, the `x` members of its key set (base64url). `now` is in epoch seconds. A signature that
    is older than `TOLERANCE_S` is refused; bfl signs no time, so the same ring may come again.
    """
    check = _CHECKS.get(kind)
    if check is None:
        raise BadSignatureError(f"a service of kind {kind} does not ring")
    if not keys:
        raise BadSignatureError("there is no key to check the signature with")
    check({name.lower(): value for name, value in headers.items()}, body, keys, now)


def fal_keys(key_set: JsonValue) -> tuple[str, ...]:
    """The ED25519 keys in the parsed JSON of fal's key set; what else stands there is passed over."""
    entries = key_set.get("keys") if isinstance(key_set, dict) else None
    keys = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return tuple(x for key in keys if key.get("crv") == "Ed25519" and isinstance(x := key.get("x"), str))


def _fal(headers: Mapping[str, str], body: bytes, keys: Sequence[str], now: float) -> None:
    signed = [_header(headers, f"x-fal-webhook-{part}") for part in ("request-id", "user-id", "timestamp")]
    _check_time(signed[2], now)
    message = "\n".join([*signed, hashlib.sha256(body).hexdigest()]).encode()
    signature = _unhex(_header(headers, "x-fal-webhook-signature"))
    if not any(_is_signed(message, signature, key) for key in keys):
        raise BadSignatureError("the signature fits none of the service's keys")


def _replicate(headers: Mapping[str, str], body: bytes, keys: Sequence[str], now: float) -> None:
    message_id, timestamp = _header(headers, "webhook-id"), _header(headers, "webhook-timestamp")
    _check_time(timestamp, now)
    message = f"{message_id}.{timestamp}.".encode() + body
    given = [part.partition(",") for part in _header(headers, "webhook-signature").split()]
    signatures = [signature for version, _, signature in given if version == "v1"]
    expected = [base64.b64encode(_hmac(_standard_secret(key), message)).decode() for key in keys]
    _check_any(signatures, expected)


def _bfl(headers: Mapping[str, str], body: bytes, keys: Sequence[str], now: float) -> None:  # noqa: ARG001 - no time is signed
    given = _header(headers, "x-bfl-signature").strip().lower()
    _check_any([given.removeprefix("sha256=")], [_hmac(key.encode(), body).hex() for key in keys])


_Check = Callable[[Mapping[str, str], bytes, Sequence[str], float], None]
_CHECKS: Mapping[Kind, _Check] = MappingProxyType({"fal": _fal, "replicate": _replicate, "bfl": _bfl})


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise BadSignatureError(f"the header {name} is missing")
    return value


def _check_time(text: str, now: float) -> None:
    if not (text.isascii() and text.isdigit() and len(text) <= _TIME_DIGITS):
        raise BadSignatureError("the signature's time is not in epoch seconds")
    if abs(now - int(text)) > TOLERANCE_S:
        raise BadSignatureError(f"the signature's time is off by more than {TOLERANCE_S} s")


def _check_any(given: Sequence[str], expected: Sequence[str]) -> None:
    # Every pair is compared, so that the time taken tells nothing.
    equal = [hmac.compare_digest(one.encode(), other.encode()) for one in given for other in expected]
    if not any(equal):
        raise BadSignatureError("the signature fits none of the secrets")


def _hmac(secret: bytes, message: bytes) -> bytes:
    return hmac.new(secret, message, hashlib.sha256).digest()


def _standard_secret(text: str) -> bytes:
    try:
        return base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        raise BadSignatureError("the webhook secret is not whsec_ and base64") from None


def _unhex(text: str) -> bytes:
    try:
        signature = bytes.fromhex(text)
    except ValueError:
        signature = b""
    if len(signature) != _SIGNATURE_SIZE:
        raise BadSignatureError("the signature is not 64 bytes in hexadecimal digits")
    return signature


def _is_signed(message: bytes, signature: bytes, key: str) -> bool:
    try:
        raw = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
