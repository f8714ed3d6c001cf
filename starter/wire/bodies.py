"""Reading a request's body: bounded, and with its Content-Encoding undone."""

from __future__ import annotations

import zlib

from starlette.requests import Request

from starter.wire import n8n_answers
from starter.wire.refusals import RefusedError, Result

_DRAIN_FACTOR = 4
_SKIP_FACTOR = 16
_WINDOW = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""zlib's name for each Content-Encoding that is undone; any other is left as it is, as in n8n."""
UNPACKED = frozenset(_WINDOW)
"""The Content-Encodings that `read_body` undoes."""


async def read_body(request: Request, limit: int) -> bytes:
    """The body, unpacked; raises `RefusedError` (413) where it has more than `limit` bytes, 422 if it is broken."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        # A sender that is still writing would get a broken connection in place of the answer.
        elif size > _DRAIN_FACTOR * limit:
            break
    if size > limit:
        raise body_too_large(limit)
    return _unpacked(b"".join(chunks), request.headers.get("content-encoding", ""), limit)


async def skip_body(request: Request, limit: int) -> None:
    """Read a body that nobody looks at, without keeping it; raises `RefusedError` (413) above 16 times the limit."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > _SKIP_FACTOR * limit:
            raise body_too_large(_SKIP_FACTOR * limit)


def body_too_large(limit: int) -> RefusedError:
    """The refusal (413) of a body."""
    return too_large(f"The request body is larger than {limit} bytes.")


def too_large(message: str, request_id: str | None = None) -> RefusedError:
    """The refusal (413) of what is too large."""
    return RefusedError(Result.REFUSED_SIZE, n8n_answers.error_answer(413, message), request_id)


def unparsable(problem: str) -> RefusedError:
    """The refusal (422) of a body that cannot be read."""
    return RefusedError(Result.REFUSED_BODY, n8n_answers.unparsable(problem))


def _unpacked(body: bytes, encoding: str, limit: int) -> bytes:
    window = _WINDOW.get(encoding.strip().lower())
    if window is None or not body:
        return body
    unpacker = zlib.decompressobj(window)
    try:
        # One byte more than allowed tells a bomb from a body without unpacking the bomb.
        unpacked = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise unparsable(str(error).rpartition(": ")[2]) from None
    if len(unpacked) > limit:
        raise body_too_large(limit)
    if not unpacker.eof:
        raise unparsable("unexpected end of file")
    return unpacked
