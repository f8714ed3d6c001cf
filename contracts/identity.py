"""Ids and digests, all derived: the same input always gives the same id."""

from __future__ import annotations

import hashlib
import json
import re

from pydantic import JsonValue

WORKFLOW_ID_LIMIT = 900
"""Bytes of UTF-8; Temporal refuses ids over 1,000."""

_HEADER_LIMIT = 200

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def sha256_hex(data: bytes) -> str:
    """The SHA-256 of `data` in lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def content_digest(content: JsonValue) -> str:
    """The digest of a JSON value, independent of key order and white space."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return sha256_hex(text.encode())


def workflow_id(route: str, request_id: str) -> str:
    """The workflow id of a request: readable where it can be, hashed where it is long or not printable."""
    plain = f"{route}/{request_id}"
    if request_id.isprintable() and len(plain.encode()) <= WORKFLOW_ID_LIMIT:
        return plain
    return f"{route}/{_hashed(request_id)}"


def store_key(workflow: str, digest: str) -> str:
    """Where the store keeps what belongs to a request: the same id with other content is another key."""
    return sha256_hex(f"{workflow}\n{digest}".encode())


def run_store_key(key: str, run_id: str) -> str:
    """The store key of what belongs to one run alone: a later run of the same id must not find it."""
    return sha256_hex(f"{key}\n{run_id}".encode())


def idempotency_key(request_id: str, delivery: int) -> str:
    """The callback's `Idempotency-Key`: a legal header value, one for each change of the outcome."""
    return f"{header_value(request_id)}:{delivery}"


def header_value(request_id: str) -> str:
    """The request id as an HTTP header can carry it: printable ASCII without outer blanks, else hashed."""
    legal = request_id.isascii() and request_id.isprintable() and request_id == request_id.strip()
    return request_id if legal and 0 < len(request_id) <= _HEADER_LIMIT else _hashed(request_id)


def _hashed(request_id: str) -> str:
    return f"sha256-{sha256_hex(request_id.encode('utf-8', 'surrogatepass'))}"


def traceparent(incoming: str | None, workflow: str) -> str:
    """The caller's W3C traceparent where it is valid, else one derived from the workflow id."""
    if incoming and _TRACEPARENT.fullmatch(incoming):
        return incoming
    digest = sha256_hex(workflow.encode())
    return f"00-{digest[:32]}-{digest[32:48]}-01"
