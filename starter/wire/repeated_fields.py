"""Forms and XML may name a field several times: it then has a list of values."""

from __future__ import annotations

from pydantic import JsonValue


def add_field(fields: dict[str, JsonValue], name: str, value: JsonValue) -> None:
    """Add one value of a field."""
    known = fields.get(name)
    if name not in fields:
        fields[name] = value
    elif isinstance(known, list):
        known.append(value)
    else:
        fields[name] = [known, value]
