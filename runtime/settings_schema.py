"""The settings tree as JSON Schema: what error lines, environment variables and the reference page are made from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from runtime.settings import Settings

Node = Mapping[str, Any]


@cache
def root() -> Node:
    """The schema of `Settings`."""
    return Settings.model_json_schema()


def resolved(node: Node) -> Node:
    """The node with its reference followed and its `null` alternative dropped; what stands beside them wins."""
    if "$ref" in node:
        target = root()["$defs"][node["$ref"].rpartition("/")[2]]
    elif "anyOf" in node:
        target = resolved(next(option for option in node["anyOf"] if option.get("type") != "null"))
    else:
        return node
    return {**target, **{name: value for name, value in node.items() if name not in {"$ref", "anyOf"}}}


def kinds(node: Node) -> dict[str, Node]:
    """The alternatives that the key `kind` chooses between; empty where there is no choice."""
    mapping = node.get("discriminator", {}).get("mapping", {})
    return {kind: resolved({"$ref": reference}) for kind, reference in mapping.items()}


def keys(node: Node) -> dict[str, Node]:
    """The keys that a section may have; with kinds, those of every kind."""
    sections = list(kinds(node).values()) or [node]
    return {name: resolved(key) for section in sections for name, key in section.get("properties", {}).items()}


def free_value(node: Node) -> Node | None:
    """What stands under each freely chosen name of a table, as the routes; None where the names are fixed."""
    options = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
    return next((resolved(option) for option in options if isinstance(option, Mapping)), None)


def child(node: Node, name: str) -> Node | None:
    """What stands under a name, or None where that name is unknown."""
    return keys(node).get(name) or free_value(node)


def is_composite(node: Node) -> bool:
    """Whether the value is a section, a table or a list."""
    return bool(kinds(node)) or node.get("type") in {"object", "array"}
