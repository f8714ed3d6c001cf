"""Reading wire fields: strict about types but for numbers that arrive as strings, and naming what is wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import JsonValue

Body = Mapping[str, JsonValue]
Value = TypeVar("Value")

CUSTOM_LEVELS = 64
"""Nesting of custom fields that is carried on; Temporal's JSON reader gives up at 200 levels."""

_INTEGER = re.compile(r"([+-]?[0-9]{1,19})(?:\.0*)?")
_INT64 = 2**63
_SIZE = re.compile("([0-9]{1,5})\\s*[xX*\N{MULTIPLICATION SIGN}]\\s*([0-9]{1,5})")
_RATIO = re.compile(r"([0-9]{1,4}):([0-9]{1,4})")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SHOWN = 40


@dataclass(slots=True)
class FieldReader:
    """Reads the fields of one body and collects a sentence for each that is missing or wrong.

    `null` and blank text count as absent: then the default holds, and a required field without one is missing.
    """

    body: Body
    required: Collection[str] = ()
    defaults: Body = field(default_factory=dict)
    prefix: str = ""
    """Goes before the names in the sentences."""
    problems: list[str] = field(default_factory=list)
    _asked: set[str] = field(default_factory=set)

    def text(self, name: str) -> str | None:
        """A string that every store can hold: no NUL, no lone surrogate."""
        return self._read(name, "a string", _as_text)

    def identifier(self, name: str) -> str | None:
        """A string or an integer, as a string."""
        return self._read(name, "a string or an integer", _as_identifier)

    def integer(self, name: str) -> int | None:
        """A 64-bit integer; also as a string or as a number without a fraction."""
        return self._read(name, "an integer", _as_integer)

    def number(self, name: str) -> float | None:
        """A finite number, also as a string."""
        return self._read(name, "a number", _as_number)

    def mapping(self, name: str) -> dict[str, JsonValue] | None:
        """A JSON object."""
        return self._read(name, "an object", lambda value: value if isinstance(value, dict) else None)

    def size(self, name: str) -> tuple[int, int] | None:
        """Width and height in pixels from text as "1024x1024"."""
        return self._read(name, 'a size as "1024x1024"', _as_size)

    def ratio(self, name: str) -> str | None:
        """A ratio as "16:9"."""
        return self._read(name, 'a ratio as "16:9"', _as_ratio)

    def require_any(self, *names: str) -> None:
        """Note a problem where all of these are absent."""
        if all(self._present(name) is None for name in names):
            self._missing(" or ".join(self.prefix + name for name in names))

    def used(self) -> dict[str, JsonValue]:
        """The fields that were asked for, as they came."""
        return {name: value for name, value in self.body.items() if name in self._asked}

    def others(self) -> dict[str, JsonValue] | None:
        """The fields that were not asked for, as custom fields."""
        return as_custom({name: value for name, value in self.body.items() if name not in self._asked})

    def _read(self, name: str, wanted: str, convert: Callable[[JsonValue], Value | None]) -> Value | None:
        value = self._present(name)
        if value is None:
            if name in self.required:
                self._missing(self.prefix + name)
            return None
        read = convert(value)
        if read is None:
            self.problems.append(f"{self.prefix}{name} must be {wanted}, not {_shown(value)}")
        return read

    def _present(self, name: str) -> JsonValue:
        self._asked.add(name)
        value = self.body.get(name)
        blank = value is None or (isinstance(value, str) and not value.strip())
        return self.defaults.get(name) if blank else value

    def _missing(self, names: str) -> None:
        self.problems.append(f"{names} is required and missing")


def as_custom(fields: Body) -> dict[str, JsonValue] | None:
    """Fields to pass on, none = None. An unknown field is never an error (contract 3).

    So what cannot be carried is replaced: a lone surrogate by "?", an infinite number and whatever is nested deeper
    than `CUSTOM_LEVELS` by null.
    """
    return _carried_object(fields, CUSTOM_LEVELS) or None


def _carried_object(fields: Body, levels: int) -> dict[str, JsonValue]:
    # Sorted, so that names which become equal leave the same winner whatever their order was.
    return {_well_formed(name): _carried(fields[name], levels - 1) for name in sorted(fields)}


def _carried(value: JsonValue, levels: int) -> JsonValue:
    if isinstance(value, str):
        return _well_formed(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_carried(item, levels - 1) for item in value] if levels > 0 else None
    if isinstance(value, dict):
        return _carried_object(value, levels) if levels > 0 else None
    return value


def _well_formed(text: str) -> str:
    return _SURROGATE.sub("?", text)


def _shown(value: JsonValue) -> str:
    if isinstance(value, str):
        if _as_text(value) is None:
            return "one with a NUL or half a surrogate pair"
        safe = "".join(c if c.isascii() and c.isprintable() else "?" for c in value[:_SHOWN])
        return f'the text "{safe}"'
    if isinstance(value, float):
        return f"the number {value}"
    if isinstance(value, int) and not isinstance(value, bool):
        return "an integer" if -_INT64 <= value < _INT64 else "one of more than 64 bits"
    return {bool: "a boolean", list: "a list"}.get(type(value), "an object")


def _as_text(value: JsonValue) -> str | None:
    if not isinstance(value, str) or "\x00" in value or _SURROGATE.search(value):
        return None
    return value


def _as_identifier(value: JsonValue) -> str | None:
    if isinstance(value, int):
        number = _as_integer(value)
        return None if number is None else str(number)
    return _as_text(value)


def _as_integer(value: JsonValue) -> int | None:
    number: int | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    elif isinstance(value, str) and (match := _INTEGER.fullmatch(value.strip())):
        number = int(match[1])
    return number if number is not None and -_INT64 <= number < _INT64 else None


def _as_number(value: JsonValue) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and ("_" in value or not value.isascii()):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _as_size(value: JsonValue) -> tuple[int, int] | None:
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or not int(match[1]) or not int(match[2]):
        return None
    return int(match[1]), int(match[2])


def _as_ratio(value: JsonValue) -> str | None:
    match = _RATIO.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or not int(match[1]) or not int(match[2]):
        return None
    return match[0]
