"""The workflows and nodes of an export, as far as the import needs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue

Object = Mapping[str, JsonValue]

WEBHOOK: Final = "webhook"
HTTP_REQUEST: Final = "httpRequest"
SET: Final = "set"
RESPOND: Final = "respondToWebhook"


def as_object(value: JsonValue) -> Object:
    """The object, or an empty one where the value is none."""
    return value if isinstance(value, dict) else {}


def as_list(value: JsonValue) -> list[JsonValue]:
    """The list, or an empty one where the value is none."""
    return value if isinstance(value, list) else []


def as_number(value: JsonValue) -> float | None:
    """The number, also from text; None for everything else, expressions among it."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < 1e15 else None  # noqa: PLR2004 - beyond every duration; NaN compares false


@dataclass(frozen=True, slots=True)
class Node:
    """One node."""

    name: str
    type: str
    """Without its package: webhook, httpRequest."""
    parameters: Object = field(default_factory=dict)
    settings: Object = field(default_factory=dict)
    """What stands on the node itself: retryOnFail, maxTries, waitBetweenTries, onError, webhookId."""
    credentials: Mapping[str, str] = field(default_factory=dict)
    """Type -> name."""
    disabled: bool = False

    @property
    def options(self) -> Object:
        """The `options` of its parameters."""
        return as_object(self.parameters.get("options"))

    def text(self, *names: str) -> str:
        """The first parameter of these that is text with something in it, else nothing."""
        found = (value for name in names if isinstance(value := self.parameters.get(name), str) and value.strip())
        return next(found, "")


@dataclass(frozen=True, slots=True)
class Workflow:
    """One workflow."""

    name: str
    id: str
    active: bool
    nodes: Mapping[str, Node]
    """By name; of several with one name the first."""
    links: Mapping[str, tuple[tuple[str, ...], ...]]
    """Node -> for each of its main outputs the nodes that follow."""
    settings: Object = field(default_factory=dict)
    repeated: tuple[str, ...] = ()
    """Names that more than one node has."""
