"""Where a value of an expression comes from: the webhook's body, an environment variable, another call."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from operations.n8n_import.exported import HTTP_REQUEST, SET, WEBHOOK, Node, as_list, as_object
from operations.n8n_import.expressions import read_value
from operations.n8n_import.graph import Graph
from operations.n8n_import.values import Reference, Value

_FARTHEST = 20


class Place(StrEnum):
    """What a reference leads to."""

    BODY = "body"
    REQUEST = "request"
    """The webhook's headers, query or path."""
    RESPONSE = "response"
    """What a called service answered."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Origin:
    """A place and the path inside it."""

    place: Place
    path: tuple[str, ...] = ()


def origin(reference: Reference, at: str, graph: Graph, farthest: int = _FARTHEST) -> Origin:
    """Where the reference at that node leads to; through Set nodes to what they were given."""
    sources = {reference.node} if reference.node is not None else graph.sources(at)
    nodes = [graph.workflow.nodes.get(name) for name in sources]
    found = {_at_node(node, reference.path, graph, farthest) for node in nodes if node is not None and farthest}
    return found.pop() if len(found) == 1 else Origin(Place.UNKNOWN)


def _at_node(node: Node, path: tuple[str, ...], graph: Graph, farthest: int) -> Origin:
    if node.type == WEBHOOK:
        return Origin(Place.BODY, path[1:]) if path[:1] == ("body",) else Origin(Place.REQUEST, path)
    if node.type == HTTP_REQUEST:
        return Origin(Place.RESPONSE, path)
    if node.type != SET or not path:
        return Origin(Place.UNKNOWN)
    value = assignments(node).get(path[0])
    if isinstance(value, Reference):
        inner = Reference(value.node, value.path + path[1:])
        return origin(inner, node.name, graph, farthest - 1)
    if value is None and _keeps_others(node):
        return origin(Reference(None, path), node.name, graph, farthest - 1)
    return Origin(Place.UNKNOWN)


def assignments(node: Node) -> dict[str, Value]:
    """What a Set node assigns, in each spelling that n8n has had."""
    listed = [
        *as_list(as_object(node.parameters.get("assignments")).get("assignments")),
        *as_list(as_object(node.parameters.get("fields")).get("values")),
        *(item for items in as_object(node.parameters.get("values")).values() for item in as_list(items)),
    ]
    found: dict[str, Value] = {}
    for item in map(as_object, listed):
        name = item.get("name")
        value = next((item[key] for key in item if key == "value" or key.endswith("Value")), None)
        if isinstance(name, str):
            found[name] = read_value(value)
    return found


def _keeps_others(node: Node) -> bool:
    given = node.parameters
    if "assignments" in given or "fields" in given:
        return given.get("includeOtherFields") is True or "include" in given
    return given.get("keepOnlySet") is not True
