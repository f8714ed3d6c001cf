"""Which HTTP Request node behind a webhook is the image service, which the callback. Position first, then words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from operations.n8n_import.exported import Node
from operations.n8n_import.graph import MOST_CALLS, Graph

_DRAWS = re.compile(
    r"(?i)image|generat|flux|lora|openai|stability|stable|comfy|sdapi|txt2img|predict|replicate|fal\.|dall|infer"
)
_CALLS_BACK = re.compile(r"(?i)callback|odoo|influence_?gen/(?:n8n|callback|api)|image_result")
_FAILED = re.compile(r"""(?i)["']?status["']?\s*:\s*["'](?:failed|failure|error)""")


@dataclass(frozen=True, slots=True)
class Roles:
    """The calls behind one webhook."""

    services: tuple[str, ...] = ()
    callback: str | None = None
    failure: str | None = None
    """The callback that tells of a failure, where it is a node of its own."""
    others: tuple[str, ...] = ()
    too_many: bool = False


def roles(graph: Graph, webhook: str) -> Roles:
    """Who is who behind the webhook."""
    usual = graph.calls(graph.reached([webhook], errors=False))
    everything = graph.calls(graph.reached([webhook]))
    if len(everything) > MOST_CALLS:
        return Roles(too_many=True)
    callback, services = _callback_and_services(graph, usual)
    failure = _failure(graph, everything, callback, services)
    known = {callback, failure, *services}
    others = tuple(name for name in everything if name not in known)
    return Roles(tuple(services), callback, failure, others)


def _callback_and_services(graph: Graph, usual: list[str]) -> tuple[str | None, list[str]]:
    if len(usual) == 1:
        node = graph.node(usual[0])
        return (usual[0], []) if _calls_back(node) and not _draws(node) else (None, usual)
    ends = [name for name in usual if all(name in graph.calls_after(one) for one in graph.calls_after(name))]
    inner = [name for name in usual if name not in ends] or usual[:1]
    ends = [name for name in ends if name not in inner and any(name in graph.calls_after(one) for one in inner)]
    callback = _best_end(graph, ends)
    before = [name for name in inner if callback is None or callback in graph.calls_after(name)]
    drawing = [name for name in before if _draws(graph.node(name))]
    return callback, drawing or before[:1]


def _best_end(graph: Graph, ends: list[str]) -> str | None:
    def rank(name: str) -> tuple[bool, bool, int]:
        node = graph.node(name)
        return _tells_failure(node), not _calls_back(node), ends.index(name)

    return min(ends, key=rank, default=None)


def _failure(graph: Graph, everything: list[str], callback: str | None, services: list[str]) -> str | None:
    behind_errors = [
        name for one in services for name in graph.calls(graph.reached(graph.error_branch(one), errors=False))
    ]
    candidates = [
        *(name for name in behind_errors if _tells_failure(graph.node(name)) or _calls_back(graph.node(name))),
        *(name for name in everything if name not in services and _tells_failure(graph.node(name))),
    ]
    return next((name for name in candidates if name != callback), None)


def _draws(node: Node) -> bool:
    return method(node) != "GET" and bool(_DRAWS.search(address(node))) and not _CALLS_BACK.search(address(node))


def _calls_back(node: Node) -> bool:
    return bool(_CALLS_BACK.search(address(node)))


def _tells_failure(node: Node) -> bool:
    return bool(_FAILED.search(node.text("jsonBody", "bodyParametersJson", "body")))


def method(node: Node) -> str:
    """The HTTP method of a call, in either spelling."""
    return node.text("method", "requestMethod").upper() or "GET"


def address(node: Node) -> str:
    """The URL of a call as it stands there."""
    return node.text("url")
