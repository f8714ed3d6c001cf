"""What an outbound call authenticates with, resolved per call, so that a rotated secret needs no restart."""

from __future__ import annotations

import base64

from runtime.secrets import SecretMissingError, resolve
from runtime.settings import Auth, BasicAuth, BearerAuth, HeaderAuth, NoAuth


def auth_headers(auth: Auth) -> dict[str, str]:
    """The headers for `auth`; raises `SecretMissingError`, which names the reference, where a secret is unusable."""
    match auth:
        case NoAuth():
            return {}
        case BearerAuth():
            return {"Authorization": f"Bearer {_sendable(auth.secret)}"}
        case HeaderAuth():
            return {auth.name: _sendable(auth.secret)}
        case BasicAuth():
            pair = f"{auth.user}:{resolve(auth.password)}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _sendable(reference: str) -> str:
    value = resolve(reference)
    if not (value.isascii() and value.isprintable()):
        raise SecretMissingError(
            f"the secret {reference} cannot stand in a header: it holds a line break or a non-ASCII character"
        )
    return value
