"""Decisions as people type them into a form: read strictly, refused in words."""

from __future__ import annotations

from typing import TypeVar

from pydantic import JsonValue, ValidationError

from contracts.decisions import Discard, Redrive

Typed = JsonValue
"""What a form sends: any JSON, or nothing."""
DecisionT = TypeVar("DecisionT", Redrive, Discard)


class FormError(ValueError):
    """What was typed is no decision. The message is one line that says what to correct."""


def read_decision(kind: type[DecisionT], data: Typed) -> DecisionT:
    """The decision that a person typed; raises `FormError`. A misspelt field is refused: it would be left out."""
    if not isinstance(data, dict):
        raise FormError('the data must be a JSON object, as {"by": "you", "reason": "why"}')
    unknown = sorted(set(data) - set(kind.model_fields))
    if unknown:
        raise FormError(f"no such field: {', '.join(unknown)}; possible: {', '.join(kind.model_fields)}")
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise FormError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
