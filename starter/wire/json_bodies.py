"""From JSON text to a value, with V8's words for what is wrong."""

from __future__ import annotations

import json
import re
from typing import NoReturn

from pydantic import JsonValue

from starter.wire.bodies import unparsable
from starter.wire.json_hints import hint, minus_hint, token_hint
from starter.wire.refusals import RefusedError

DEPTH_LIMIT = 100
"""Levels of nesting that are accepted; far below what Temporal's payloads and their readers can bear."""
_CONSTANT = re.compile(r'"(?:[^"\\]|\\.)*"|(-Infinity|Infinity|NaN)', re.DOTALL)


class _ConstantError(ValueError):
    """A number that Python writes and JSON does not have."""


def parse_json(text: str) -> JsonValue:
    """The value of a JSON text; raises `RefusedError` (422)."""
    try:
        value: JsonValue = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise unparsable(hint(error)) from None
    except RecursionError:
        raise _too_deep() from None
    except _ConstantError:
        raise unparsable(_constant_hint(text)) from None
    except ValueError as error:
        raise unparsable(str(error)) from None
    # Counting brackets is fast and spares nearly every body the walk.
    if text.count("{") + text.count("[") > DEPTH_LIMIT and _deeper_than(value, DEPTH_LIMIT):
        raise _too_deep()
    return value


def parse_object(body: bytes) -> dict[str, JsonValue]:
    """The object of a JSON body that must be one; an empty body, null and false are an empty one.

    Raises `RefusedError` (422).
    """
    try:
        value = parse_json(body.decode()) if body else {}
    except UnicodeDecodeError as error:
        raise unparsable(f"The body is not valid UTF-8 at byte {error.start}") from None
    if isinstance(value, dict):
        return value
    if value is None or value is False:
        return {}
    kinds = {str: "a string", list: "a list", bool: "a boolean"}
    raise unparsable(f"The body must be a JSON object, not {kinds.get(type(value), 'a number')}")


def _no_constant(_name: str) -> NoReturn:
    raise _ConstantError


def _constant_hint(text: str) -> str:
    position = next(match.start() for match in _CONSTANT.finditer(text) if match[1])
    return minus_hint(text, position + 1) if text[position] == "-" else token_hint(text, position)


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
    return unparsable(f"The body is nested more than {DEPTH_LIMIT} levels deep")
