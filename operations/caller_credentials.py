"""What a caller of ours sends to be let in: for a request that we send to ourselves as Odoo would."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

from jwt.algorithms import get_default_algorithms
from jwt.utils import base64url_encode

from runtime.authorization import auth_headers, signature_headers
from runtime.secrets import SecretMissingError, references, resolve
from runtime.settings import JwtAuth, SignatureAuth, UrlTokenAuth, WebhookAuth
from starter.access.url_tokens import PARAMETER

_LIFETIME_S = 300


def caller_headers(auth: WebhookAuth, body: bytes) -> dict[str, str]:
    """The headers that open a webhook for this body, with the first of several secrets.

    Raises `SecretMissingError`, also where only somebody else has the key.
    """
    match auth:
        case JwtAuth():
            return {"Authorization": f"Bearer {_token(auth)}"}
        case SignatureAuth():
            return signature_headers(auth.secret, f"msg_{uuid.uuid4().hex}", datetime.now(UTC), body)
        case UrlTokenAuth():
            return {}
        case _:
            return auth_headers(auth)


def caller_query(auth: WebhookAuth) -> dict[str, str]:
    """What opens a webhook in its URL's query; raises `SecretMissingError`."""
    return {PARAMETER: resolve(references(auth.secret)[0])} if isinstance(auth, UrlTokenAuth) else {}


def _token(auth: JwtAuth) -> str:
    if auth.secret is None:
        raise SecretMissingError("this route takes tokens signed with a private key, which only its callers have")
    now = int(time.time())
    named = {"aud": auth.audience, "iss": auth.issuer}
    claims = {"iat": now, "exp": now + _LIFETIME_S, **{name: value for name, value in named.items() if value}}
    algorithm = auth.algorithms[0]
    signer = get_default_algorithms()[algorithm]
    signed = f"{_encoded({'alg': algorithm, 'typ': 'JWT'})}.{_encoded(claims)}"
    signature = signer.sign(signed.encode(), signer.prepare_key(resolve(references(auth.secret)[0])))
    return f"{signed}.{base64url_encode(signature).decode()}"


def _encoded(part: Mapping[str, object]) -> str:
    return base64url_encode(json.dumps(part).encode()).decode()
