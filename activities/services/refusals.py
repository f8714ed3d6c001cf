"""Which failure class an answer without an image has: by the service's machine codes, then its words, then the status.

Words are a last resort and kept as data. On a submit only a refusal by the service itself proves that nothing was
made; a proxy's page does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType

from activities.services.error_body import ErrorBody
from contracts.errors import FailureClass


class Phase(StrEnum):
    """What the exchange was for, which decides what an unclear end of it may have cost."""

    SUBMIT = "submit"
    POLL = "poll"
    DOWNLOAD = "download"


_CODES: Mapping[FailureClass, frozenset[str]] = MappingProxyType(
    {
        FailureClass.QUOTA_EXHAUSTED: frozenset(
            {
                "insufficient_quota",
                "quota_exceeded",
                "billing_hard_limit_reached",
                "billing_not_active",
                "insufficient_credits",
                "insufficient_balance",
                "insufficient_funds",
                "payment_required",
            }
        ),
        FailureClass.CONCURRENCY_LIMITED: frozenset(
            {"queue_full", "concurrency_limit", "concurrency_limit_exceeded", "too_many_concurrent_requests"}
        ),
        FailureClass.RATE_LIMITED: frozenset(
            {
                "rate_limit",
                "rate_limit_exceeded",
                "rate_limited",
                "too_many_requests",
                "resource_exhausted",
                "throttled",
            }
        ),
        FailureClass.AUTHENTICATION_FAILED: frozenset(
            {
                "invalid_api_key",
                "api_key_invalid",
                "authentication_error",
                "authentication_failed",
                "unauthorized",
                "unauthenticated",
            }
        ),
        FailureClass.PERMISSION_DENIED: frozenset({"permission_denied", "permission_error", "failed_precondition"}),
        FailureClass.MODEL_NOT_FOUND: frozenset({"model_not_found", "unknown_model", "deploymentnotfound"}),
        FailureClass.PROVIDER_OVERLOADED: frozenset(
            {
                "overloaded",
                "overloaded_error",
                "unavailable",
                "service_unavailable",
                "runner_scheduling_failure",
                "runner_connection_refused",
                "startup_timeout",
            }
        ),
        FailureClass.GENERATION_FAILED: frozenset({"generation_failed", "inference_failed", "no_media_generated"}),
        FailureClass.JOB_CANCELLED: frozenset({"client_cancelled"}),
    }
)
_MODERATION_CODE = re.compile(r"moderat|content_(policy|filter|reject|violation)|nsfw|safety|prohibited_content")
_ACCOUNT_BLOCKED = re.compile(r"resource (has been|is|was)? ?(temporarily )?blocked", re.IGNORECASE)
_WORDS = (
    (
        frozenset({200, 400, 403, 422, 500}),
        re.compile(
            r"safety[ _](violation|system|filter)|content[ _-](policy|filter|moderation)|moderation_blocked"
            r"|blocked by (our )?moderation|flagged (as|by)|nsfw (content|concept)",
            re.IGNORECASE,
        ),
        FailureClass.CONTENT_REJECTED,
    ),
    (
        frozenset({429, 500, 503}),
        re.compile(r"queue (is )?full|concurren(t|cy)|too many (active|pending|running|unfinished)", re.IGNORECASE),
        FailureClass.CONCURRENCY_LIMITED,
    ),
    (
        frozenset({402, 403, 429}),
        re.compile(r"exhausted balance|(insufficient|not enough|no more) (credit|balance|funds)", re.IGNORECASE),
        FailureClass.QUOTA_EXHAUSTED,
    ),
    (
        frozenset({400, 403, 422}),
        re.compile(r"\bmodel\b.{0,80}\b(not found|does not exist)|unknown model", re.IGNORECASE),
        FailureClass.MODEL_NOT_FOUND,
    ),
)
_STATUSES: Mapping[int, FailureClass] = MappingProxyType(
    {
        401: FailureClass.AUTHENTICATION_FAILED,
        402: FailureClass.QUOTA_EXHAUSTED,
        403: FailureClass.PERMISSION_DENIED,
        404: FailureClass.MODEL_NOT_FOUND,
        405: FailureClass.MODEL_NOT_FOUND,
        407: FailureClass.AUTHENTICATION_FAILED,
        409: FailureClass.PROVIDER_OVERLOADED,
        410: FailureClass.MODEL_NOT_FOUND,
        425: FailureClass.PROVIDER_OVERLOADED,
        429: FailureClass.RATE_LIMITED,
        451: FailureClass.CONTENT_REJECTED,
        501: FailureClass.MODEL_NOT_FOUND,
        503: FailureClass.PROVIDER_OVERLOADED,
        529: FailureClass.PROVIDER_OVERLOADED,
    }
)
_TIMED_OUT = re.compile(r"timed?[ _-]?out", re.IGNORECASE)


def failure_class(
    status: int, error: ErrorBody, phase: Phase, statuses: Mapping[int, FailureClass] = MappingProxyType({})
) -> FailureClass:
    """The class of an answer that brings no image; `statuses` are those with another meaning at this service."""
    if phase is Phase.DOWNLOAD:
        return _download_class(status)
    named = _by_code(error) or _by_words(status, error)
    return named or statuses.get(status) or _by_status(status, error, phase)


def unclear_class(phase: Phase) -> FailureClass:
    """The class of an exchange that ended without the service's own word."""
    return FailureClass.OUTCOME_UNKNOWN if phase is Phase.SUBMIT else FailureClass.PROVIDER_INTERNAL


def names_moderation(code: str) -> bool:
    """Whether a machine code (or finish reason) says that content was refused."""
    return bool(_MODERATION_CODE.search(_normal(code)))


def _by_code(error: ErrorBody) -> FailureClass | None:
    for code in map(_normal, error.codes):
        if names_moderation(code):
            return FailureClass.CONTENT_REJECTED
        known = next((found for found, codes in _CODES.items() if code in codes), None)
        if known is not None:
            return known
    return None


def _by_words(status: int, error: ErrorBody) -> FailureClass | None:
    # An account that is blocked for earlier requests says nothing about the content of this one.
    if _ACCOUNT_BLOCKED.search(error.message):
        return None
    return next((found for at, words, found in _WORDS if status in at and words.search(error.message)), None)


def _by_status(status: int, error: ErrorBody, phase: Phase) -> FailureClass:
    if phase is Phase.POLL and status in {404, 410}:
        return FailureClass.JOB_LOST
    if status in _STATUSES:
        return _STATUSES[status]
    if status < 300:  # noqa: PLR2004 - the classes of HTTP statuses
        return FailureClass.GENERATION_FAILED if error.structured else FailureClass.PROTOCOL_ERROR
    if status < 400:  # noqa: PLR2004 - same
        return FailureClass.MODEL_NOT_FOUND
    if status < 500 and status != HTTPStatus.REQUEST_TIMEOUT:  # noqa: PLR2004 - same
        return FailureClass.INVALID_REQUEST
    return FailureClass.PROVIDER_INTERNAL if _is_own_refusal(status, error) else unclear_class(phase)


def _is_own_refusal(status: int, error: ErrorBody) -> bool:
    said = " ".join((error.message, *error.codes))
    return status == HTTPStatus.INTERNAL_SERVER_ERROR and error.structured and not _TIMED_OUT.search(said)


def _download_class(status: int) -> FailureClass:
    if status in {401, 429, 503, 529}:
        return _STATUSES[status]
    if status >= 500 or status == HTTPStatus.REQUEST_TIMEOUT:  # noqa: PLR2004 - the classes of HTTP statuses
        return FailureClass.PROVIDER_INTERNAL
    return FailureClass.ARTIFACT_INVALID if status < 400 else FailureClass.ARTIFACT_EXPIRED  # noqa: PLR2004 - same


def _normal(code: str) -> str:
    return code.strip().lower().replace(" ", "_").replace("-", "_")
