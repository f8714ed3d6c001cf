"""The error taxonomy: what happened, who must act, whether to retry, how the request ends, what Odoo is told.

    FailureClass
    |- the sender's fault        InvalidRequest, ContentRejected                       -> rejected
    |- not reached, not served   ConnectFailed, ProviderOverloaded, ProviderInternal   -> retried, dead letter
    |- asked to wait             RateLimited, ConcurrencyLimited                       -> waited for, dead letter
    |- money may be spent        OutcomeUnknown, JobLost, JobTimedOut, GenerationFailed -> dead letter
    |- configuration             AuthenticationFailed, PermissionDenied, ModelNotFound, QuotaExhausted -> dead letter
    |- the image itself          ArtifactExpired, ArtifactInvalid, ProtocolError       -> dead letter
    |- the callback              CallbackRefused, CallbackUndeliverable                -> dead letter
    `- ours and the operator's   JobCancelled, Cancelled, Expired, Internal

A failure is data (`Failure`), so that it survives Temporal, the store and the wire unchanged.
"""

from __future__ import annotations

from contracts.failure_rules import RULES
from contracts.model import Frozen
from contracts.taxonomy import Actor, Ending, FailureClass, Retry, Rule

MESSAGE_LIMIT = 500
"""Characters of a failure's own message, and of each detail, that are kept: far below any payload limit."""


UNPAID = frozenset(
    {
        FailureClass.INVALID_REQUEST,
        FailureClass.CONTENT_REJECTED,
        FailureClass.CONNECT_FAILED,
        FailureClass.PROVIDER_OVERLOADED,
        FailureClass.PROVIDER_INTERNAL,
        FailureClass.RATE_LIMITED,
        FailureClass.CONCURRENCY_LIMITED,
        FailureClass.QUOTA_EXHAUSTED,
        FailureClass.AUTHENTICATION_FAILED,
        FailureClass.PERMISSION_DENIED,
        FailureClass.MODEL_NOT_FOUND,
    }
)
"""Failures of a submit that prove that nothing was made: the next attempt may call again."""


class Failure(Frozen):
    """One failure, ready to be stored, shown and told."""

    failure: FailureClass
    message: str
    """What exactly happened; capped and free of secrets."""
    service: str | None = None
    http_status: int | None = None
    provider_code: str | None = None
    provider_request_id: str | None = None
    unpaid: bool | None = None
    """True where it is proved that nothing was made for this generation: another service may be asked. False where a
    call of it was taken, whatever this failure looks like.
    """
    output_refused: bool | None = None
    """ContentRejected: True where the finished image was refused, not the prompt; another seed may pass."""

    lost_call: int | None = None
    """JobLost: which call of the generation the job is of, where the service's policy allows another call."""

    @property
    def rule(self) -> Rule:
        """The rule of this failure's class."""
        return RULES[self.failure]

    @property
    def told(self) -> str:
        """The message for Odoo: the class's sentence, the detail, and the service's own code."""
        code = self.provider_code
        named = f"(code of the service: {code})" if code and code not in self.message else ""
        return " ".join(part for part in (self.rule.sentence, self.message, named) if part)


def doubted(failure: Failure) -> Failure:
    """The failure of something that came after a call was taken: it proves nothing about that call."""
    if failure.failure not in UNPAID or failure.unpaid:
        return failure
    return failure.model_copy(update={"unpaid": False})


def make_failure(failure: FailureClass, message: str, **detail: object) -> Failure:
    """A failure whose message and details are each one line of at most `MESSAGE_LIMIT` characters."""
    lines = {name: _line(value) if isinstance(value, str) else value for name, value in detail.items()}
    return Failure.model_validate({"failure": failure, "message": _line(message), **lines})


def _line(text: str) -> str:
    # Temporal takes neither half a surrogate pair nor, in all of its stores, a NUL.
    line = " ".join(text.replace("\x00", " ").encode("utf-8", "replace").decode().split())
    return line if len(line) <= MESSAGE_LIMIT else line[: MESSAGE_LIMIT - 1] + "…"


__all__ = [
    "MESSAGE_LIMIT",
    "RULES",
    "UNPAID",
    "Actor",
    "Ending",
    "Failure",
    "FailureClass",
    "Retry",
    "Rule",
    "doubted",
    "make_failure",
]
