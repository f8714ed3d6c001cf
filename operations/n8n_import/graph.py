"""Which nodes follow which. Graphs may be large and have cycles."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from operations.n8n_import.exported import HTTP_REQUEST, WEBHOOK, Node, Workflow

MOST_CALLS = 100
"""HTTP Request nodes behind one webhook; more are not a flow that this import understands."""
_STAY = frozenset({"noOp", "if", "switch", "filter", "wait", "respondToWebhook", "limit", "splitInBatches"})
"""Types that pass on what they get."""


@dataclass(frozen=True)
class Graph:
    """The links of one workflow, as they run: a disabled node lets everything through."""

    workflow: Workflow
    _reached: dict[str, frozenset[str]] = field(default_factory=dict)

    @cached_property
    def webhooks(self) -> tuple[Node, ...]:
        """The Webhook nodes."""
        return tuple(node for node in self.workflow.nodes.values() if node.type == WEBHOOK)

    def node(self, name: str) -> Node:
        """The node of that name."""
        return self.workflow.nodes[name]

    def next(self, name: str, *, errors: bool = True) -> Iterator[str]:
        """The nodes that follow; without those behind the error output of an HTTP Request."""
        outputs = self.workflow.links.get(name, ())
        node = self.node(name)
        only_first = node.type == HTTP_REQUEST and not errors
        for output in outputs[:1] if only_first or node.disabled else outputs:
            yield from (target for target in output if target in self.workflow.nodes)

    def error_branch(self, name: str) -> list[str]:
        """The nodes behind the error output of an HTTP Request."""
        outputs = () if self.node(name).disabled else self.workflow.links.get(name, ())
        return [target for target in (outputs[1] if len(outputs) > 1 else ()) if target in self.workflow.nodes]

    def reached(self, starts: Iterable[str], *, errors: bool = True, past_calls: bool = True) -> list[str]:
        """Everything behind these nodes and they themselves, the nearest first; without `past_calls`, up to calls."""
        waiting = deque(dict.fromkeys(starts))
        seen = dict.fromkeys(waiting)
        while waiting:
            name = waiting.popleft()
            if not past_calls and self.calls([name]):
                continue
            for target in self.next(name, errors=errors):
                if target not in seen:
                    seen[target] = None
                    waiting.append(target)
        return list(seen)

    def calls(self, names: Iterable[str]) -> list[str]:
        """The HTTP Request nodes among these that do something."""
        nodes = (self.node(name) for name in names)
        return [node.name for node in nodes if node.type == HTTP_REQUEST and not node.disabled]

    def calls_after(self, name: str) -> frozenset[str]:
        """The HTTP Request nodes that follow this one when all goes well."""
        if name not in self._reached:
            behind = self.reached(self.next(name, errors=False), errors=False)
            self._reached[name] = frozenset(self.calls(behind)) - {name}
        return self._reached[name]

    @cached_property
    def _before(self) -> dict[str, list[str]]:
        before: dict[str, list[str]] = {}
        for name in self.workflow.nodes:
            for target in self.next(name):
                before.setdefault(target, []).append(name)
        return before

    def sources(self, name: str) -> set[str]:
        """The nodes whose output this one gets as `$json`, through those that only pass it on."""
        found: set[str] = set()
        waiting, seen = [name], {name}
        while waiting:
            for before in self._before.get(waiting.pop(), []):
                node = self.node(before)
                if not (node.disabled or node.type in _STAY):
                    found.add(before)
                elif before not in seen:
                    seen.add(before)
                    waiting.append(before)
        return found
