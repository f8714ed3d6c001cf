"""What a failed call means: try again, never, or perhaps later. Tracebacks that Odoo sends along are never read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from pydantic import JsonValue

from activities.attempts import AttemptFailedError
from activities.services.redaction import scrub
from contracts.callbacks import Verdict, read_answer
from contracts.errors import FailureClass, make_failure
from contracts.json_body import parse_json

_ABSENT = re.compile(r"MissingError")
# What Odoo raises for a field, method or model that it does not have.
_UNKNOWN_NAMES = re.compile(r"^(builtins\.)?(ValueError|KeyError|TypeError|AttributeError)$|NotFound$")
_OK = 200


class OdooRefusedError(Exception):
    """A call failed. The reason is one line without secrets; `retry_after_s` is the time that Odoo named."""

    def __init__(
        self, verdict: Verdict, reason: str, *, http_status: int | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(reason)
        self.verdict = verdict
        self.reason = reason
        self.http_status = http_status
        self.retry_after_s = retry_after_s

    def as_attempt(self) -> AttemptFailedError:
        """The same in the taxonomy: Odoo down is waited for, a refusal is final, a missing record may yet come."""
        if self.verdict is Verdict.FINAL:
            return AttemptFailedError(
                make_failure(FailureClass.CALLBACK_REFUSED, self.reason, http_status=self.http_status)
            )
        return AttemptFailedError(
            make_failure(FailureClass.CALLBACK_UNDELIVERABLE, self.reason, http_status=self.http_status),
            self.retry_after_s,
            unclear=self.verdict is Verdict.UNCLEAR,
        )


def missing(model: str, record_id: int) -> OdooRefusedError:
    """The record is not there (yet: its transaction may not be committed), or not for this user."""
    return OdooRefusedError(Verdict.UNCLEAR, f"{model} {record_id} does not exist, or this user may not read it")


def refused(name: str, message: str, secrets: Iterable[str], status: int = _OK) -> OdooRefusedError:
    """What an exception of Odoo means, by its name and, where that says nothing, by the HTTP status."""
    reason = scrub(f"Odoo refused: {name}: {message}", secrets)
    return OdooRefusedError(_verdict(name, status), reason, http_status=status)


def unanswered(error: Exception, secrets: Iterable[str]) -> OdooRefusedError:
    """No whole answer came."""
    reason = scrub(f"Odoo did not answer: {type(error).__name__}: {error}", secrets)
    return OdooRefusedError(Verdict.RETRY, reason)


def unreadable(
    status: int, body: bytes, secrets: Iterable[str], retry_after_s: float | None = None
) -> OdooRefusedError:
    """An answer that is none of Odoo's external interface: a proxy's page, an unknown database, an exception's JSON."""
    content = parse_json(body)
    if isinstance(content, dict) and isinstance(content.get("name"), str):
        error = refused(str(content["name"]), str(content.get("message")), secrets, status)
        return OdooRefusedError(error.verdict, error.reason, http_status=status, retry_after_s=retry_after_s)
    if status == _OK:
        return OdooRefusedError(Verdict.UNCLEAR, "HTTP 200, but the answer is not Odoo's JSON", http_status=status)
    verdict = read_answer(status, b"", "plain").verdict
    return OdooRefusedError(verdict, f"Odoo answered HTTP {status}", http_status=status, retry_after_s=retry_after_s)


def _verdict(name: str, status: int) -> Verdict:
    if _ABSENT.search(name):
        return Verdict.UNCLEAR
    if _UNKNOWN_NAMES.search(name):
        return Verdict.FINAL
    named: dict[str, JsonValue] = {"error": {"data": {"name": name}}}
    by_name = read_answer(_OK, json.dumps(named).encode(), "jsonrpc").verdict
    if by_name is not Verdict.UNCLEAR or status == _OK:
        return by_name
    return read_answer(status, b"", "plain").verdict
