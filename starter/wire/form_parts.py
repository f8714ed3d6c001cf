"""The fields of a multipart form. Its files are no part of an image request and are dropped."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from pydantic import JsonValue
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser

from starter.wire import n8n_answers
from starter.wire.refusals import RefusedError, Result
from starter.wire.repeated_fields import add_field


class _InMemory(MultiPartParser):
    # The body is in memory already, and its size bounded; a disk may be full or read-only.
    spool_max_size = 2**62


async def form_fields(body: bytes, content_type: str) -> dict[str, JsonValue]:
    """The fields by name, with a list of values where a name comes several times; raises `RefusedError` (400)."""

    async def once() -> AsyncGenerator[bytes, None]:
        yield body

    headers = Headers({"content-type": content_type})
    try:
        form = await _InMemory(headers, once(), max_part_size=max(len(body), 1)).parse()
    except (MultiPartException, KeyError, ValueError, LookupError):
        answer = n8n_answers.error_answer(400, "The submitted form data could not be parsed.")
        raise RefusedError(Result.REFUSED_BODY, answer) from None
    fields: dict[str, JsonValue] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            add_field(fields, name, value)
    await form.close()
    return fields
