"""The callback's envelope, and whether Odoo's answer means that it has arrived (contract 3.7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from pydantic import JsonValue

from contracts.identity import content_digest
from contracts.json_body import parse_json
from contracts.requests import Envelope


class Verdict(StrEnum):
    """What an answer to a callback means."""

    ARRIVED = "arrived"
    RETRY = "retry"
    FINAL = "final"
    """Authentication or validation: repeating the same callback cannot help."""
    UNCLEAR = "unclear"
    """May be a record that is not committed yet: retried for `UNCLEAR_WINDOW_S`, then final."""


UNCLEAR_WINDOW_S = 15 * 60.0
"""Seconds (contract 3.7)."""

_FINAL_STATUSES = frozenset({400, 401, 403, 405, 406, 407, 410, 411, 413, 414, 415, 422, 501})
_FINAL_NAMES = re.compile(
    r"AccessDenied|AccessError|ValidationError|UserError|RedirectWarning|BadRequest|Unauthorized|Forbidden"
    r"|UnsupportedMediaType|UnprocessableEntity|SessionExpired"
)
_RETRY_NAMES = re.compile(
    r"SerializationFailure|OperationalError|InterfaceError|DeadlockDetected|LockNotAvailable|TransactionRollback"
    r"|QueryCanceled|ConcurrencyError|LockError|PoolError|TooManyConnections|CannotConnectNow|AdminShutdown"
    r"|TooManyRequests|ServiceUnavailable"
)
_FAILED_STATUSES = frozenset({"error", "failure", "failed"})
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict and, unless it arrived, one line that says why."""

    verdict: Verdict
    reason: str = ""


def wrap(body: Mapping[str, JsonValue], envelope: Envelope, key: str) -> dict[str, JsonValue]:
    """The body in its envelope; the JSON-RPC id is derived from the idempotency key, so that it never changes."""
    if envelope == "plain":
        return dict(body)
    rpc_id = int(content_digest(key)[:8], 16)
    return {"jsonrpc": "2.0", "method": "call", "id": rpc_id, "params": dict(body)}


def read_answer(status: int, body: bytes, envelope: Envelope) -> Answer:
    """Judge Odoo's answer by status code, envelope and content."""
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Answer(_verdict(status), f"HTTP {status}{_detail(body)}")
    content = parse_json(body)
    refusal = _refusal(content) or (_refusal(content.get("result")) if isinstance(content, dict) else None)
    if refusal is not None:
        return refusal
    if envelope == "jsonrpc" and not (isinstance(content, dict) and "result" in content):
        return Answer(Verdict.UNCLEAR, "HTTP 2xx, but the answer is not a JSON-RPC object with a result")
    return Answer(Verdict.ARRIVED)


def _verdict(status: int) -> Verdict:
    if status == HTTPStatus.NOT_FOUND:
        return Verdict.UNCLEAR
    redirected = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    return Verdict.FINAL if redirected or status in _FINAL_STATUSES else Verdict.RETRY


def _refusal(content: JsonValue) -> Answer | None:
    if not isinstance(content, dict):
        return None
    error, status = content.get("error"), content.get("status")
    if error:
        return Answer(_error_verdict(error), f"error inside HTTP 2xx: {_error_message(error)}")
    if isinstance(status, str) and status.lower() in _FAILED_STATUSES:
        message = content.get("message") or content.get("error_message") or "no message"
        return Answer(Verdict.UNCLEAR, f'status "{status}" inside HTTP 2xx: {str(message)[:_SHOWN]}')
    return None


def _error_verdict(error: JsonValue) -> Verdict:
    name = _error_name(error)
    if _RETRY_NAMES.search(name):
        return Verdict.RETRY
    if _FINAL_NAMES.search(name):
        return Verdict.FINAL
    code = error.get("code") if isinstance(error, dict) else None
    # Odoo's own codes are 100 and 200; one that is an HTTP error tells what the status line does not.
    return _verdict(code) if isinstance(code, int) and code >= HTTPStatus.BAD_REQUEST else Verdict.UNCLEAR


def _error_name(error: JsonValue) -> str:
    if not isinstance(error, dict):
        return ""
    data = error.get("data")
    name = data.get("name") if isinstance(data, dict) else None
    return str(name or error.get("name") or "")


def _error_message(error: JsonValue) -> str:
    if not isinstance(error, dict):
        return str(error)[:_SHOWN]
    data = error.get("data")
    inner = data.get("message") if isinstance(data, dict) else None
    return f"{_error_name(error)} {inner or error.get('message') or ''}".strip()[:_SHOWN]


def _detail(body: bytes) -> str:
    content = parse_json(body)
    if not isinstance(content, dict):
        return ""
    error = content.get("error") or content.get("message")
    return f": {_error_message(error)}" if error else ""
