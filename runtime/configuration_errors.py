"""One line for each thing that is wrong with a configuration: where, what, what to do. Values are never repeated."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from runtime.settings_schema import Node, child, keys, kinds, resolved, root
from runtime.settings_values import PATTERNS
from runtime.suggestions import suggestion

_MESSAGES = {
    "missing": "is required and missing",
    "literal_error": "must be {expected}",
    "union_tag_invalid": "unknown kind; valid: {expected_tags}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must name at least {min_length}",
    "finite_number": "must be a finite number",
    **dict.fromkeys(["int_type", "int_parsing", "int_parsing_size", "int_from_float"], "must be a whole number"),
    **dict.fromkeys(["float_type", "float_parsing"], "must be a number"),
    **dict.fromkeys(["bool_type", "bool_parsing"], "must be true or false"),
    **dict.fromkeys(["string_type", "path_type"], "must be text in quotes"),
    **dict.fromkeys(["dict_type", "model_type", "model_attributes_type"], "must be a section of keys"),
    "tuple_type": 'must be a list, as ["a", "b"]',
}

_MARKS = frozenset({"[key]", "[one]", "[list]"})
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an error is: the path as the file writes it, the section it lies in, and what stands there."""

    path: str = ""
    name: str = ""
    section: Node = field(default_factory=root)
    node: Node = field(default_factory=root)

    def enter(self, part: str | int) -> _Place:
        """One step of an error's location."""
        if isinstance(part, int):
            return _Place(f"{self.path}[{part}]", self.name, self.section, resolved(self.node.get("items", {})))
        # pydantic puts the kind of a section and such marks into the location; no file has them.
        if part in kinds(self.node):
            return _Place(self.path, self.name, self.section, kinds(self.node)[part])
        if part in _MARKS:
            return self
        return _Place(f"{self.path}.{_shown(part)}".lstrip("."), part, self.node, child(self.node, part) or {})


def _shown(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else json.dumps(key[:64])


def explain(error: ValidationError, variables: Mapping[str, str] | None = None) -> list[str]:
    """One line per problem. `variables` says which settings (dotted) came from which environment variable."""
    details = error.errors(include_url=False, include_input=False)
    return [line for detail in details for line in _lines(detail, variables or {})]


def _lines(detail: ErrorDetails, variables: Mapping[str, str]) -> list[str]:
    place = _Place()
    for part in detail["loc"]:
        place = place.enter(part)
    what = _what(detail, place)
    if not place.path:
        return what.split("\n")
    path = f"{place.path}.kind" if detail["type"].startswith("union_tag") else place.path
    origin = f" (set by {variables[path]})" if path in variables else ""
    return [f"{path}: {what}{origin}"]


def _what(detail: ErrorDetails, place: _Place) -> str:
    context = detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            return f"unknown key; {suggestion(place.name, keys(place.section))}"
        case "union_tag_not_found":
            return f"is required and missing; valid: {', '.join(kinds(place.node))}"
        case "string_pattern_mismatch":
            return PATTERNS[context["pattern"]]
        case "value_error":
            return str(context["error"])
        case known:
            return _MESSAGES.get(known, "is not valid").format(
                **{name: _plain(value) for name, value in context.items()}
            )


def _plain(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value
