"""Who calls: a signature over id, timestamp and body, or the dialect's shared secret in a header."""

import base64
import binascii
import hashlib
import hmac

TOLERANCE_S = 300
SIGNATURE_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
SECRET_HEADERS = {
    "ours": (),
    "event": (("X-Api-Key", ""),),
    "correlation": (("X-Api-Key", ""), ("Authorization", "Bearer ")),
    "request": (("X-Api-Key", ""),),
    "adapter": (("X-N8N-Signature", ""),),
    "endpoint": (("X-N8N-Webhook-Token", ""),),
}
"""Header, and what goes before the secret in it, for each endpoint."""
MOST_SIGNATURES = 8


def is_signed(headers):
    """Whether the caller has chosen to sign."""
    return any(headers.get(name) is not None for name in SIGNATURE_HEADERS)


def has_secret(endpoint, headers, secrets):
    """Whether one of the endpoint's headers carries a live secret."""
    live = [secret.encode() for secret in secrets if secret]
    given = [_given(headers.get(name), prefix) for name, prefix in SECRET_HEADERS[endpoint]]
    return any(hmac.compare_digest(value, secret) for value in given if value for secret in live)


def is_signature_valid(headers, body, secrets, now):
    """Whether a Standard Webhooks signature by a live secret is right and not older or newer than five minutes."""
    message_id, timestamp, signatures = (headers.get(name) or "" for name in SIGNATURE_HEADERS)
    if not message_id or not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return False
    if abs(now - int(timestamp)) > TOLERANCE_S:
        return False
    content = f"{message_id}.{timestamp}.".encode("latin-1", "replace") + body
    expected = [hmac.new(key, content, hashlib.sha256).digest() for secret in secrets for key in _keys(secret)]
    given = [_decoded(part[3:]) for part in signatures.split()[:MOST_SIGNATURES] if part.startswith("v1,")]
    return any(hmac.compare_digest(one, other) for one in given if one for other in expected)


def equals(given, secrets):
    """Whether a text is one of the live secrets."""
    value = given.encode("utf-8", "replace")
    return any(hmac.compare_digest(value, secret.encode()) for secret in secrets if secret)


def _given(header, prefix):
    if header is None or header[: len(prefix)].lower() != prefix.lower():
        return b""
    # WSGI hands the bytes of a header over as latin-1.
    return header[len(prefix) :].strip().encode("latin-1", "replace")


def _keys(secret):
    """The keys that a secret may stand for: whsec_ and base64 is one, plain text another, bare base64 a third."""
    if secret.startswith("whsec_"):
        return [key for key in (_decoded(secret[6:]),) if key]
    return [key for key in (secret.encode(), _decoded(secret)) if key]


def _decoded(text):
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
