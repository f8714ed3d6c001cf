"""A webhook request that is not taken: the reason we count and log, and the answer its sender gets."""

from __future__ import annotations

from enum import StrEnum

from starlette.responses import Response


class Result(StrEnum):
    """What became of a webhook request: the `result` label of the metrics, the `reason` of the logs."""

    ACCEPTED = "accepted"
    DEDUPLICATED = "deduplicated"
    CONFLICT = "conflict"
    """The id is taken by a request with other content."""
    UNAVAILABLE = "unavailable"
    """Temporal cannot take it now, or a secret of ours is missing."""
    REFUSED_ROUTE = "refused_route"
    REFUSED_BODY = "refused_body"
    REFUSED_SIZE = "refused_size"
    REFUSED_CREDENTIALS = "refused_credentials"
    REFUSED_ORIGIN = "refused_origin"


class RefusedError(Exception):
    """Nothing was started. `answer` is ready to be sent; neither it nor the message holds a secret."""

    def __init__(self, result: Result, answer: Response, request_id: str | None = None) -> None:
        super().__init__(result.value)
        self.result = result
        self.answer = answer
        self.request_id = request_id
