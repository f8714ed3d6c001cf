"""GET and HEAD with `If-None-Match`: 304 where the caller has the entity already."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from starter.wire import n8n_answers


def unless_fresh(answer: Response, request: Request) -> Response:
    """The answer, or 304 in its place."""
    successful = 200 <= answer.status_code < 300  # noqa: PLR2004 - the range of success
    if request.method in ("GET", "HEAD") and successful and _is_fresh(request.headers, answer.headers.get("etag", "")):
        return n8n_answers.not_modified(answer)
    return answer


def _is_fresh(headers: Headers, etag: str) -> bool:
    known = headers.get("if-none-match")
    if known is None or "no-cache" in headers.get("cache-control", ""):
        return False
    return known.strip() == "*" or any(_weak(tag) == _weak(etag) for tag in known.split(","))


def _weak(tag: str) -> str:
    return tag.strip().removeprefix("W/")
