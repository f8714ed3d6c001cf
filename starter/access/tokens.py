"""JSON Web Tokens of callers: signature, expiry and not-before, refused in n8n's words."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jwt.algorithms import Algorithm, get_default_algorithms
from jwt.exceptions import PyJWTError

from runtime.secrets import SecretMissingError, SecretRefs, resolve_any
from runtime.settings import JwtAuth

_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_PARTS = 3


def token_problem(auth: JwtAuth, token: str, now: int) -> str | None:
    """Why a token does not open the door at `now` (epoch seconds), or None; raises `SecretMissingError`."""
    parts = token.split(".")
    if len(parts) != _PARTS:
        return "jwt malformed"
    header = _object(parts[0]) if _TOKEN.fullmatch(token) else None
    if header is None:
        return "invalid token"
    # A payload that is no object has no claims, as in n8n.
    claims = _object(parts[1]) or {}
    return (
        _signature_problem(auth, token, header.get("alg"))
        or _time_problem(auth, claims, now)
        or _party_problem(auth, claims)
    )


def _signature_problem(auth: JwtAuth, token: str, algorithm: object) -> str | None:
    signed, _, signature = token.rpartition(".")
    if not signature:
        return "jwt signature is required"
    if not isinstance(algorithm, str) or algorithm not in auth.algorithms:
        return "invalid algorithm"
    given = _bytes(signature)
    keys = resolve_any(_keys(auth))
    verified = given is not None and any(_verifies(algorithm, key, signed.encode(), given) for key in keys)
    return None if verified else "invalid signature"


def _keys(auth: JwtAuth) -> SecretRefs:
    keys = auth.secret if auth.secret is not None else auth.public_key
    return keys if keys is not None else ()


def _verifies(algorithm: str, key: str, signed: bytes, signature: bytes) -> bool:
    checker, prepared = _prepared(algorithm, key)
    return checker.verify(signed, prepared, signature)


@lru_cache(maxsize=64)
def _prepared(algorithm: str, key: str) -> tuple[Algorithm, Any]:
    checker = get_default_algorithms()[algorithm]
    try:
        # A PEM in an environment variable often has its line breaks written as \\n.
        return checker, checker.prepare_key(key.replace("\\n", "\n") if key.startswith("-----") else key)
    except (PyJWTError, ValueError, TypeError):
        raise SecretMissingError(f"the key of a jwt authentication is no key for {algorithm}: give a PEM") from None


def _time_problem(auth: JwtAuth, claims: Mapping[str, Any], now: int) -> str | None:
    for claim in ("nbf", "exp"):
        if claim in claims and not _is_number(claims[claim]):
            return f"invalid {claim} value"
        if claim == "nbf" and claim in claims and claims[claim] > now + auth.leeway_s:
            return "jwt not active"
    return "jwt expired" if "exp" in claims and now >= claims["exp"] + auth.leeway_s else None


def _party_problem(auth: JwtAuth, claims: Mapping[str, Any]) -> str | None:
    audience = claims.get("aud")
    if auth.audience is not None and auth.audience not in (audience if isinstance(audience, list) else [audience]):
        return f"jwt audience invalid. expected: {auth.audience}"
    if auth.issuer is not None and claims.get("iss") != auth.issuer:
        return f"jwt issuer invalid. expected: {auth.issuer}"
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _object(part: str) -> dict[str, Any] | None:
    decoded = _bytes(part)
    try:
        value = json.loads(decoded) if decoded is not None else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _bytes(part: str) -> bytes | None:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        return None
