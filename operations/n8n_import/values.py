"""What an expression can mean, as far as it is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant."""

    value: JsonValue


@dataclass(frozen=True, slots=True)
class Reference:
    """A field of a node's output: `$json.body.x`, `$('Webhook').item.json.body.x`."""

    node: str | None
    """None = the node before."""
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable of n8n: `$env.X`."""

    name: str


@dataclass(frozen=True, slots=True)
class Joined:
    """Text put together."""

    parts: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """An object."""

    fields: tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Unread:
    """What is too much for this reader."""

    text: str


Value: TypeAlias = Literal | Reference | Variable | Joined | Record | Sequence | Unread


def parts(value: Value) -> tuple[Value, ...]:
    """What the value is made of directly."""
    match value:
        case Joined(inner) | Sequence(inner):
            return inner
        case Record(fields):
            return tuple(inner for _, inner in fields)
    return ()


def walk(value: Value) -> Iterator[Value]:
    """The value and everything in it."""
    yield value
    for part in parts(value):
        yield from walk(part)


def literal_text(value: Value) -> str | None:
    """The constant text, or None where it is none."""
    return value.value if isinstance(value, Literal) and isinstance(value.value, str) else None
