"""Who may call: none, Basic, a named header, a bearer token; compared in constant time, answered as n8n does."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from dataclasses import dataclass

from starlette.datastructures import Headers

from runtime.secrets import resolve
from runtime.settings import Auth, BasicAuth, BearerAuth, HeaderAuth
from starter import n8n_answers

_BASIC = re.compile(r" *basic +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)
_BEARER = re.compile(r" *bearer +(\S+) *", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Denied:
    """Why a caller is turned away."""

    status: int
    message: str


def denial(auth: Auth, headers: Headers) -> Denied | None:
    """Why these headers do not open the door, or None where they do; raises `SecretMissingError`."""
    if isinstance(auth, BasicAuth):
        return _basic(auth, _only(headers, "authorization"))
    if isinstance(auth, HeaderAuth):
        return _wrong(_only(headers, auth.name) or "", resolve(auth.secret))
    if isinstance(auth, BearerAuth):
        match = _BEARER.fullmatch(_only(headers, "authorization") or "")
        return _wrong(match[1] if match else "", resolve(auth.secret))
    return None


def equal_secrets(given: bytes, expected: str) -> bool:
    """Compare in a time that tells nothing about where they differ."""
    return hmac.compare_digest(given, expected.encode())


def _only(headers: Headers, name: str) -> str | None:
    values = headers.getlist(name)
    return values[0] if len(values) == 1 else None


def _wrong(given: str, secret: str) -> Denied | None:
    matches = equal_secrets(given.encode("latin-1"), secret)
    return None if matches else Denied(403, n8n_answers.HEADER_WRONG)


def _basic(auth: BasicAuth, header: str | None) -> Denied | None:
    password = resolve(auth.password)
    match = _BASIC.fullmatch(header or "")
    user, colon, given = _decoded(match[1]).partition(b":") if match else (b"", b"", b"")
    if not colon:
        return Denied(401, n8n_answers.BASIC_MISSING)
    matches = (equal_secrets(user, auth.user), equal_secrets(given, password))
    return None if all(matches) else Denied(401, n8n_answers.BASIC_WRONG)


def _decoded(token: str) -> bytes:
    # As lenient as n8n's: both alphabets, with or without padding.
    standard = token.rstrip("=").translate({ord("-"): "+", ord("_"): "/", ord("."): None, ord("~"): None})
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4))
    except binascii.Error:
        return b""
