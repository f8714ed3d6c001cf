"""n8n's expressions, the simple ones: what they say, or that they cannot be read. Nothing is guessed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from operations.n8n_import.expression_parser import DEEPEST, parse_expression
from operations.n8n_import.values import Joined, Literal, Record, Sequence, Unread, Value

LONGEST = 20_000
"""Characters of an expression; longer ones are programs."""
_MARK = re.compile("\ue000([0-9]{1,6})\ue001")
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_MARKS = re.compile("[\ue000\ue001]")


@dataclass(frozen=True, slots=True)
class _Code:
    text: str


def read_value(value: JsonValue) -> Value:
    """A parameter: a literal or, with a leading `=`, text with `{{ }}` in it."""
    if not isinstance(value, str) or not value.startswith("="):
        return Literal(value)
    if len(value) > LONGEST:
        return Unread(value)
    parts = [_read_part(part) for part in _parts(value[1:])]
    return parts[0] if len(parts) == 1 else Joined(tuple(parts)) if parts else Literal("")


def read_json(value: JsonValue) -> Value:
    """A parameter that holds JSON: an expression, or JSON text with expressions in it."""
    if not isinstance(value, str):
        return Literal(value)
    template = value.removeprefix("=") if len(value) <= LONGEST else ""
    parts: list[str | _Code] = list(_parts(template)) if value.startswith("=") else [template]
    if len(parts) == 1 and isinstance(parts[0], _Code):
        return parse_expression(parts[0].text)
    return _json_template(parts) or Unread(value)


def _read_part(part: str | _Code) -> Value:
    return Literal(part) if isinstance(part, str) else parse_expression(part.text)


def _parts(template: str) -> Iterator[str | _Code]:
    """Text and code in turns; blank text around a single expression is n8n's own layout."""
    position = 0
    if template.strip().startswith("{{") and _end(template, template.index("{{") + 2) == len(template.rstrip()):
        template = template.strip()
    while (start := template.find("{{", position)) >= 0:
        if start > position:
            yield template[position:start]
        end = _end(template, start + 2)
        yield _Code(template[start + 2 : end - 2])
        position = end
    if position < len(template):
        yield template[position:]


def _end(template: str, start: int) -> int:
    """Behind the `}}` that ends the code at `start`: braces and strings inside it do not."""
    depth, quote, position = 0, "", start
    while position < len(template):
        character = template[position]
        if quote:
            position += character == "\\"
            quote = "" if character == quote else quote
        elif character in "\"'`":
            quote = character
        elif character == "}" and depth == 0 and template[position + 1 : position + 2] == "}":
            return position + 2
        else:
            depth += {"{": 1, "}": -1}.get(character, 0)
        position += 1
    return len(template) + 2


def _json_template(parts: list[str | _Code]) -> Value | None:
    """JSON text with an expression wherever a value or a piece of a string may stand."""
    codes: list[Value] = []
    text, in_string = "", False
    for part in parts:
        if isinstance(part, _Code):
            mark = f"\ue000{len(codes)}\ue001"
            codes.append(parse_expression(part.text))
            text += mark if in_string else f'"{mark}"'
        else:
            plain = _MARKS.sub("", part)
            in_string ^= _ESCAPED.sub("", plain).count('"') % 2 == 1
            text += plain
    content = _loaded(text)
    return None if content is None else _filled(content[0], codes, DEEPEST)


def _loaded(text: str) -> tuple[JsonValue] | None:
    try:
        return (json.loads(text),)
    except (ValueError, RecursionError):
        return None


def _filled(content: JsonValue, codes: list[Value], levels: int) -> Value:
    if levels == 0:
        return Unread("")
    if isinstance(content, dict):
        fields = ((_MARK.sub("?", name), _filled(item, codes, levels - 1)) for name, item in content.items())
        return Record(tuple(fields))
    if isinstance(content, list):
        return Sequence(tuple(_filled(item, codes, levels - 1) for item in content))
    if not isinstance(content, str) or not _MARK.search(content):
        return Literal(content)
    pieces = _MARK.split(content)
    parts = [codes[int(piece)] if odd % 2 else Literal(piece) for odd, piece in enumerate(pieces) if odd % 2 or piece]
    return parts[0] if len(parts) == 1 else Joined(tuple(parts))
