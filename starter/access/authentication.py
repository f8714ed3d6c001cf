"""Who may call: none, Basic, a named header, a bearer token, a JSON Web Token; answered as n8n does.

Secrets are compared in constant time. Where several are live, any one opens the door.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers

from runtime.secrets import resolve_any
from runtime.settings import BasicAuth, BearerAuth, CallerAuth, HeaderAuth, JwtAuth, NoAuth, SignatureAuth
from starter.access.tokens import token_problem
from starter.wire import n8n_answers

_BASIC = re.compile(r" *basic +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)
_BEARER = re.compile(r" *bearer +(\S+) *", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Denied:
    """Why a caller is turned away."""

    status: int
    message: str


def denial(auth: CallerAuth | SignatureAuth, headers: Headers) -> Denied | None:
    """Why these headers do not open the door, or None where they do; raises `SecretMissingError`.

    A signature is of the body and checked elsewhere.
    """
    match auth:
        case BasicAuth():
            return _basic(auth, _only(headers, "authorization"))
        case HeaderAuth():
            return _wrong(_only(headers, auth.name) or "", resolve_any(auth.secret))
        case BearerAuth():
            bearer = _BEARER.fullmatch(_only(headers, "authorization") or "")
            return _wrong(bearer[1] if bearer else "", resolve_any(auth.secret))
        case JwtAuth():
            return _jwt(auth, _only(headers, "authorization") or "")
        case NoAuth() | SignatureAuth():
            return None


def equals_any(given: bytes, secrets: Sequence[str]) -> bool:
    """Compare with each in a time that tells nothing about where they differ, or which one matched."""
    matches = [hmac.compare_digest(given, secret.encode()) for secret in secrets]
    return any(matches)


def _only(headers: Headers, name: str) -> str | None:
    values = headers.getlist(name)
    return values[0] if len(values) == 1 else None


def _wrong(given: str, secrets: Sequence[str]) -> Denied | None:
    matches = equals_any(given.encode("latin-1"), secrets)
    return None if matches else Denied(403, n8n_answers.HEADER_WRONG)


def _basic(auth: BasicAuth, header: str | None) -> Denied | None:
    passwords = resolve_any(auth.password)
    match = _BASIC.fullmatch(header or "")
    user, colon, given = _decoded(match[1]).partition(b":") if match else (b"", b"", b"")
    if not colon:
        return Denied(401, n8n_answers.BASIC_MISSING)
    matches = (equals_any(user, [auth.user]), equals_any(given, passwords))
    return None if all(matches) else Denied(401, n8n_answers.BASIC_WRONG)


def _jwt(auth: JwtAuth, header: str) -> Denied | None:
    # As in n8n, the scheme may be any word, but a token without one does not count.
    _, _, rest = header.partition(" ")
    token = rest.partition(" ")[0]
    if not token:
        return Denied(401, n8n_answers.UNTOKENED)
    problem = token_problem(auth, token, int(time.time()))
    return Denied(403, problem) if problem else None


def _decoded(token: str) -> bytes:
    # As lenient as n8n's: both alphabets, with or without padding.
    standard = token.rstrip("=").translate({ord("-"): "+", ord("_"): "/", ord("."): None, ord("~"): None})
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4))
    except binascii.Error:
        return b""
