"""JSON Schemas of webhook bodies: what a dialect says of its fields when it is given the wrong ones.

The dialects' parsers are the one place that knows the fields, and they name each field that is missing or of the
wrong kind. So the description cannot say anything else than the code does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from contracts.dialects import Dialect

Schema = dict[str, JsonValue]

_WRONG: list[JsonValue] = []
"""A list is no field of any dialect."""
_WRONG_KIND = re.compile(r"(?P<path>[\w.]+) must be (?P<kind>.+), not a list")
_MISSING = re.compile(r"(?P<paths>[\w.]+(?: or [\w.]+)*) is required and missing")

_TEXT = r"^[^\u0000]*[^\u0000\s][^\u0000]*$"
_INT64: Schema = {"minimum": -(2**63), "maximum": 2**63 - 1}
_KINDS: Mapping[str, Schema] = {
    "a string": {"type": "string", "pattern": _TEXT},
    "a string or an integer": {"type": ["string", "integer"], "pattern": _TEXT, **_INT64},
    "an integer": {"type": ["integer", "string"], "pattern": r"^[+-]?[0-9]{1,18}(\.0*)?$", **_INT64},
    "a number": {"type": ["number", "string"], "pattern": r"^[+-]?[0-9]{1,300}(\.[0-9]+)?$"},
    'a size as "1024x1024"': {"type": "string", "pattern": r"^[1-9][0-9]{0,4} ?[xX*] ?[1-9][0-9]{0,4}$"},
    'a ratio as "16:9"': {"type": "string", "pattern": r"^[1-9][0-9]{0,3}:[1-9][0-9]{0,3}$"},
    "an object": {"type": "object"},
}
_ABSENT: tuple[Schema, ...] = ({"type": "null"}, {"type": "string", "pattern": r"^\s*$"})
"""What counts as if the field were not there."""


def body_schema(dialect: Dialect) -> Schema:
    """The bodies that a dialect accepts; further fields are allowed everywhere."""
    kinds = _kinds(dialect)
    groups = _missing(dialect, kinds)
    schema = _object(kinds, {group[0] for group in groups if len(group) == 1}, "")
    choices: list[JsonValue] = [_any_of(group, kinds) for group in groups if len(group) > 1]
    return {**schema, "allOf": choices} if choices else schema


class _Asked(dict[str, JsonValue]):
    """A body in which every field is wrong, but for the objects in it, which are made in the same way."""

    def get(self, key: str, default: JsonValue = _WRONG, /) -> JsonValue:  # type: ignore[override]
        return super().get(key, default)

    def __bool__(self) -> bool:
        return True


def _kinds(dialect: Dialect) -> dict[str, str]:
    # Dotted path -> the dialect's own words for its kind.
    outer = _wrong_kinds(dialect.parse(_Asked()).problems)
    objects = _Asked({path: _Asked() for path, kind in outer.items() if kind == "an object"})
    kinds = outer | _wrong_kinds(dialect.parse(objects).problems)
    return kinds if dialect.secret_field is None else {**kinds, dialect.secret_field: "a string"}


def _wrong_kinds(problems: Iterable[str]) -> dict[str, str]:
    matches = (_WRONG_KIND.fullmatch(problem) for problem in problems)
    return {match["path"]: match["kind"] for match in matches if match}


def _missing(dialect: Dialect, kinds: Mapping[str, str]) -> list[list[str]]:
    objects: dict[str, JsonValue] = {path: {} for path, kind in kinds.items() if kind == "an object"}
    problems = dict.fromkeys([*dialect.parse({}).problems, *dialect.parse(objects).problems])
    matches = (_MISSING.fullmatch(problem) for problem in problems)
    return [match["paths"].split(" or ") for match in matches if match]


def _object(kinds: Mapping[str, str], required: set[str], prefix: str) -> Schema:
    names = [path.removeprefix(prefix) for path in kinds if path.startswith(prefix)]
    own = [name for name in names if "." not in name]
    needed: list[JsonValue] = [name for name in own if prefix + name in required]
    properties: Schema = {}
    for name in own:
        inner = any(other.startswith(f"{name}.") for other in names)
        kind = _object(kinds, required, f"{prefix}{name}.") if inner else _KINDS[kinds[prefix + name]]
        properties[name] = kind if name in needed else {"anyOf": [kind, *_ABSENT]}
    return {"type": "object", "properties": properties, "required": needed}


def _any_of(names: list[str], kinds: Mapping[str, str]) -> Schema:
    return {"anyOf": [{"required": [name], "properties": {name: _KINDS[kinds[name]]}} for name in names]}
