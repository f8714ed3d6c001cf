"""From the bytes of a request to a JSON value, refusing what cannot be one."""

from __future__ import annotations

import json
from typing import NoReturn
from urllib.parse import parse_qsl

from pydantic import JsonValue
from starlette.requests import Request

from starter import n8n_answers
from starter.json_hints import hint
from starter.refusals import RefusedError, Result

DEPTH_LIMIT = 100
"""Levels of nesting that are accepted; far below what Temporal's payloads and their readers can bear."""
_DRAIN_FACTOR = 4
_FORM = "application/x-www-form-urlencoded"


async def read_body(request: Request, limit: int) -> bytes:
    """The body; raises `RefusedError` (413) where it has more than `limit` bytes."""
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
        raise too_large(f"The request body is larger than {limit} bytes.")
    return b"".join(chunks)


def parse_body(body: bytes, content_type: str = "") -> JsonValue:
    """The value of a body: JSON whatever its Content-Type says, or a form; an empty one is `{}`.

    Raises `RefusedError` (422).
    """
    if not body:
        return {}
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _unparsable(f"The body is not valid UTF-8 at byte {error.start}") from None
    if content_type.partition(";")[0].strip().lower() == _FORM:
        return dict(parse_qsl(text, keep_blank_values=True))
    return _parse_json(text)


def as_object(value: JsonValue) -> dict[str, JsonValue]:
    """The JSON object of a body: as in n8n, null and false count as an empty one. Raises `RefusedError` (422)."""
    if isinstance(value, dict):
        return value
    if value is None or value is False:
        return {}
    kinds = {str: "a string", list: "a list", bool: "a boolean"}
    raise _unparsable(f"The body must be a JSON object, not {kinds.get(type(value), 'a number')}")


def too_large(message: str, request_id: str | None = None) -> RefusedError:
    """The refusal (413) of what is too large."""
    return RefusedError(Result.REFUSED_SIZE, n8n_answers.error_answer(413, message), request_id)


def _parse_json(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise _unparsable(hint(error)) from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise _unparsable(str(error)) from None
    # Counting brackets is fast and spares nearly every body the walk.
    if text.count("{") + text.count("[") > DEPTH_LIMIT and _deeper_than(value, DEPTH_LIMIT):
        raise _too_deep()
    return value


def _no_constant(name: str) -> NoReturn:
    message = f'"{name}" is not valid JSON'
    raise ValueError(message)


def _deeper_than(value: JsonValue, levels: int) -> bool:
    level = [value]
    for _ in range(levels):
        level = [inner for outer in level for inner in _members(outer)]
    return any(isinstance(value, dict | list) for value in level)


def _members(value: JsonValue) -> list[JsonValue]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _too_deep() -> RefusedError:
    return _unparsable(f"The body is nested more than {DEPTH_LIMIT} levels deep")


def _unparsable(problem: str) -> RefusedError:
    return RefusedError(Result.REFUSED_BODY, n8n_answers.unparsable(problem))
