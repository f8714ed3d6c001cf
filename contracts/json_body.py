"""Reading a body that may or may not be JSON."""

from __future__ import annotations

import json

from pydantic import JsonValue


def parse_json(body: bytes) -> JsonValue:
    """The JSON value, or None where the body is none."""
    try:
        value: JsonValue = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value
