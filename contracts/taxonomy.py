"""The terms of the error taxonomy: failure classes, and the axes on which each states its one rule."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FailureClass(StrEnum):
    """What happened. The value is the Temporal `ApplicationError` type."""

    INVALID_REQUEST = "InvalidRequest"
    CONTENT_REJECTED = "ContentRejected"
    CONNECT_FAILED = "ConnectFailed"
    PROVIDER_OVERLOADED = "ProviderOverloaded"
    PROVIDER_INTERNAL = "ProviderInternal"
    RATE_LIMITED = "RateLimited"
    CONCURRENCY_LIMITED = "ConcurrencyLimited"
    JOB_TIMED_OUT = "JobTimedOut"
    OUTCOME_UNKNOWN = "OutcomeUnknown"
    JOB_LOST = "JobLost"
    QUOTA_EXHAUSTED = "QuotaExhausted"
    AUTHENTICATION_FAILED = "AuthenticationFailed"
    PERMISSION_DENIED = "PermissionDenied"
    MODEL_NOT_FOUND = "ModelNotFound"
    GENERATION_FAILED = "GenerationFailed"
    ARTIFACT_EXPIRED = "ArtifactExpired"
    ARTIFACT_INVALID = "ArtifactInvalid"
    PROTOCOL_ERROR = "ProtocolError"
    JOB_CANCELLED = "JobCancelled"
    CALLBACK_REFUSED = "CallbackRefused"
    CALLBACK_UNDELIVERABLE = "CallbackUndeliverable"
    CANCELLED = "Cancelled"
    EXPIRED = "Expired"
    INTERNAL = "Internal"


class Retry(StrEnum):
    """Whether another attempt helps."""

    NEVER = "never"
    BACKOFF = "backoff"
    """After an exponential delay; each failure spends the step's budget."""
    WHEN_ALLOWED = "when_allowed"
    """At the time the other side names; spends no budget, only the step's deadline bounds it."""


class Ending(StrEnum):
    """How a request ends once no attempt is left."""

    REJECTED = "rejected"
    DEAD_LETTER = "dead_letter"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Actor(StrEnum):
    """Who must act before the request can succeed."""

    SENDER = "sender"
    OPERATOR = "operator"
    SERVICE = "service"
    ODOO = "odoo"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Rule:
    """The one rule of a failure class."""

    code: str
    """The wire code that the dialects carry."""
    sentence: str
    """One sentence for a human in Odoo."""
    remedy: str
    """One sentence for the operator: what to do next."""
    retry: Retry
    ending: Ending
    actor: Actor
