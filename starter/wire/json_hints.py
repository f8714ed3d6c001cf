"""What n8n's JSON parser (V8) says about broken JSON, word for word, from where ours stopped."""

from __future__ import annotations

import re
import string
from json import JSONDecodeError

_EXPONENT = re.compile(r"[eE][+-]?")
_SPACE = " \t\r\n"
_CONTEXT = 10
_SCAN_LIMIT = 100_000
_LITERALS = {"t": "true", "f": "false", "n": "null"}
_PLACED = {
    "Expecting ':' delimiter": "Expected ':' after property name",
    "Invalid control character at": "Bad control character in string literal",
    "Invalid \\escape": "Bad escaped character",
    "Invalid \\uXXXX escape": "Bad Unicode escape",
    "Extra data": "Unexpected non-whitespace character after JSON",
    "Unterminated string starting at": "Unterminated string",
}


def hint(error: JSONDecodeError) -> str:
    """The sentence for a parse error."""
    text, position = error.doc, _position(error)
    number = _number_hint(text, position)
    if number is not None:
        return number
    sentence = _sentence(error, position)
    if sentence is None:
        return _unexpected(text, position)
    return _placed(sentence if sentence.endswith("JSON") else f"{sentence} in JSON", text, position)


def token_hint(text: str, position: int) -> str:
    """The sentence for a character that begins no value."""
    return f"Unexpected token '{text[position]}', {_excerpt(text, position)} is not valid JSON"


def minus_hint(text: str, position: int) -> str:
    """The sentence for a minus sign before `position` that no number follows."""
    return _placed("No number after minus sign in JSON", text, position)


def _number_hint(text: str, position: int) -> str | None:
    """The sentence where a number broke off at the position, else None."""
    if text.startswith("-", position):
        return minus_hint(text, position + 1)
    before, at = text[max(position - 1, 0) : position], text[position : position + 1]
    if not (before.isascii() and before.isdigit()):
        return None
    if before == "0" and at.isascii() and at.isdigit():
        return _placed("Unexpected number in JSON", text, position)
    if at == ".":
        return _placed("Unterminated fractional number in JSON", text, position + 1)
    exponent = _EXPONENT.match(text, position)
    return _placed("Exponent part is missing a number in JSON", text, exponent.end()) if exponent else None


def _placed(sentence: str, text: str, position: int) -> str:
    line, column = text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)
    return f"{sentence} at position {position} (line {line} column {column})"


def _position(error: JSONDecodeError) -> int:
    text = error.doc
    if error.msg.startswith("Unterminated string"):
        return len(text)
    if error.msg.startswith("Invalid control"):
        return error.pos
    if error.msg.startswith("Invalid \\e"):
        return error.pos + 1
    if error.msg.startswith("Invalid \\u"):
        return len(text) - len(text[error.pos + 1 :].lstrip(string.hexdigits))
    return len(text) - len(text[error.pos :].lstrip(_SPACE))


def _sentence(error: JSONDecodeError, position: int) -> str | None:
    before = error.doc[:position].rstrip(_SPACE)
    if error.msg.startswith("Expecting property name"):
        return "Expected property name or '}'" if before.endswith("{") else "Expected double-quoted property name"
    if error.msg.startswith("Expecting ',' delimiter"):
        place = "'}' after property value" if _inside_object(before) else "']' after array element"
        return f"Expected ',' or {place}"
    return next((said for start, said in _PLACED.items() if error.msg.startswith(start)), None)


def _inside_object(before: str) -> bool:
    """Whether the innermost open bracket is a brace; strings are skipped."""
    if len(before) > _SCAN_LIMIT:
        return True
    stack, quoted, escaped = [""], False, False
    for character in before:
        if quoted:
            quoted, escaped = escaped or character != '"', not escaped and character == "\\"
        elif character == '"':
            quoted = True
        elif character in "[{":
            stack.append(character)
        elif character in "]}":
            stack.pop()
    return stack[-1] == "{"


def _unexpected(text: str, position: int) -> str:
    literal = _LITERALS.get(text[position : position + 1], "")
    while literal and text[position : position + 1] == literal[0]:
        position, literal = position + 1, literal[1:]
    if position >= len(text):
        return "Unexpected end of JSON input"
    return token_hint(text, position)


def _excerpt(text: str, position: int) -> str:
    if len(text) <= 2 * _CONTEXT:
        return f'"{text}"'
    start, end = max(position - _CONTEXT, 0), min(position + _CONTEXT, len(text))
    left = "..." if position >= _CONTEXT else ""
    right = "..." if position < len(text) - _CONTEXT else ""
    return f'{left}"{text[start:end]}"{right}'
