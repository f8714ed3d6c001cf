"""What an outbound call authenticates with, resolved per call, so that a rotated secret needs no restart."""

from __future__ import annotations

import base64
from datetime import datetime

from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from runtime.auth_settings import BasicAuth, BearerAuth, HeaderAuth, NoAuth
from runtime.secrets import SecretMissingError, SecretRefs, references, resolve


def auth_headers(auth: NoAuth | BasicAuth | HeaderAuth | BearerAuth) -> dict[str, str]:
    """The headers for `auth`, with the first of several secrets.

    Raises `SecretMissingError`, which names the reference, where a secret is unusable.
    """
    match auth:
        case NoAuth():
            return {}
        case BearerAuth():
            return {"Authorization": f"Bearer {_sendable(auth.secret)}"}
        case HeaderAuth():
            return {auth.name: _sendable(auth.secret)}
        case BasicAuth():
            pair = f"{auth.user}:{resolve(references(auth.password)[0])}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def signature_headers(setting: SecretRefs, message_id: str, moment: datetime, body: bytes) -> dict[str, str]:
    """The Standard Webhooks headers for a UTF-8 body, signed with the first of several secrets.

    Raises `SecretMissingError`, which names the reference, where the secret is missing or no signing secret.
    """
    reference = references(setting)[0]
    try:
        signature = Webhook(resolve(reference)).sign(message_id, moment, body.decode())
    except (EmptyWebhookSecretError, ValueError):
        raise SecretMissingError(
            f"the secret {reference} cannot sign: it must be whsec_ and base64, or base64"
        ) from None
    timestamp = str(int(moment.timestamp()))
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signature}


def _sendable(setting: SecretRefs) -> str:
    reference = references(setting)[0]
    value = resolve(reference)
    if not (value.isascii() and value.isprintable() and value == value.strip()):
        raise SecretMissingError(
            f"the secret {reference} cannot stand in a header: "
            "it holds a line break, a non-ASCII character or a blank at its beginning or end"
        )
    return value
