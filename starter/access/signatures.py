"""Signed bodies as Standard Webhooks describes them: id, timestamp and body under one HMAC, and never replayed."""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict

from standardwebhooks import Webhook, WebhookVerificationError
from standardwebhooks.webhooks import EmptyWebhookSecretError
from starlette.datastructures import Headers

from contracts.identity import sha256_hex
from runtime.secrets import SecretMissingError, resolve_any
from runtime.settings import SignatureAuth
from starter.access.authentication import Denied

NAMES = ("webhook-id", "webhook-timestamp", "webhook-signature")
"""The headers of a signed request."""
REMEMBERED = 100_000
"""Message ids that are remembered, over all routes; about 30 MB."""

MISSING = "No signature provided"
MALFORMED = "signature malformed"
OUTSIDE = "signature timestamp outside the tolerance"
INVALID = "invalid signature"
REPLAYED = "webhook-id was used for another body"

_MOST_DIGITS = 12
_MOST_SIGNATURES = 16
_ID_LIMIT = 256


class SeenMessages:
    """The ids of signed messages and the digest of what came under each, for as long as each could be replayed.

    In the memory of one starter, at most `limit` of them: the oldest are forgotten first.
    """

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._seen: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()

    def is_replay(self, route: str, message_id: str, digest: str, *, now: float, until: float) -> bool:
        """Whether the id came before with other content; remembers it until `until` (epoch seconds) otherwise."""
        self._forget(now)
        key = (route, message_id)
        known = self._seen.get(key)
        if known is not None and known[1] > now and not hmac.compare_digest(known[0], digest):
            return True
        self._seen[key] = (digest, until)
        self._seen.move_to_end(key)
        return False

    def _forget(self, now: float) -> None:
        while self._seen and (len(self._seen) >= self._limit or next(iter(self._seen.values()))[1] <= now):
            self._seen.popitem(last=False)


class Signatures:
    """Checks the signatures of every route that asks for them."""

    def __init__(self) -> None:
        self._seen = SeenMessages()

    def denial(self, auth: SignatureAuth, route: str, headers: Headers, body: bytes) -> Denied | None:
        """Why this request is turned away, or None; raises `SecretMissingError` where a secret of ours is unusable.

        The same message again passes, since that is the sender's own retry, and is recognised by its request id.
        """
        given = [headers.getlist(name) for name in NAMES]
        if not all(given):
            return Denied(401, MISSING)
        if any(len(values) > 1 for values in given):
            return Denied(403, MALFORMED)
        message_id, timestamp, signature = (values[0] for values in given)
        now = time.time()
        problem = _problem(message_id, timestamp, signature, auth.tolerance_s, now)
        if problem is None:
            problem = _mismatch(auth, dict(zip(NAMES, (message_id, timestamp, signature), strict=True)), body)
        if problem is not None:
            return Denied(403, problem)
        until = int(timestamp) + auth.tolerance_s + 1
        replayed = self._seen.is_replay(route, message_id, sha256_hex(body), now=now, until=until)
        return Denied(403, REPLAYED) if replayed else None


def _problem(message_id: str, timestamp: str, signature: str, tolerance_s: int, now: float) -> str | None:
    digits = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _MOST_DIGITS
    if not digits or len(message_id) > _ID_LIMIT or signature.count(" ") >= _MOST_SIGNATURES:
        return MALFORMED
    return OUTSIDE if abs(now - int(timestamp)) > tolerance_s else None


def _mismatch(auth: SignatureAuth, headers: dict[str, str], body: bytes) -> str | None:
    problems = [_verified(_webhook(secret), headers, body) for secret in resolve_any(auth.secret)]
    if None in problems:
        return None
    return MALFORMED if MALFORMED in problems else INVALID


def _webhook(secret: str) -> Webhook:
    try:
        return Webhook(secret)
    except (EmptyWebhookSecretError, ValueError):
        raise SecretMissingError("a signing secret is unusable: it must be whsec_ and base64, or base64") from None


def _verified(webhook: Webhook, headers: dict[str, str], body: bytes) -> str | None:
    try:
        webhook.verify(body, headers, json_parse=False)
    except WebhookVerificationError:
        return INVALID
    except ValueError:
        # What the library lets through of its own parsing: no "v1,", no base64, no UTF-8.
        return MALFORMED
    return None
