"""A webhook request that is not taken: the reason we count and log, and the answer its sender gets."""

from __future__ import annotations

from enum import StrEnum

from starlette.responses import Response


class Result(StrEnum):
    """What became of a webhook request: the `result` label of the metrics, the `reason` of the logs."""

    ACCEPTED = "accepted"
    DEDUPLICATED = "deduplicated"
    REHEARSED = "rehearsed"
    """A test call that somebody listened for: answered and shown, nothing started."""
    PREFLIGHT = "preflight"
    """A browser asked what it may send."""
    CONFLICT = "conflict"
    """The id is taken by a request with other content."""
    UNAVAILABLE = "unavailable"
    """Temporal cannot take it now, or a secret of ours is missing."""
    REFUSED_ROUTE = "refused_route"
    REFUSED_BODY = "refused_body"
    REFUSED_SIZE = "refused_size"
    REFUSED_CALLER = "refused_caller"
    """An address or a kind of caller that may not call."""
    REFUSED_CREDENTIALS = "refused_credentials"
    REFUSED_ORIGIN = "refused_origin"
    RATE_LIMITED = "rate_limited"


class RefusedError(Exception):
    """Nothing was started. `answer` is ready to be sent; neither it nor the message holds a secret."""

    def __init__(self, result: Result, answer: Response, request_id: str | None = None) -> None:
        super().__init__(result.value)
        self.result = result
        self.answer = answer
        self.request_id = request_id
