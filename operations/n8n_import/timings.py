"""What all calls have in common: times as settings, and what is left out."""

from __future__ import annotations

from operations.n8n_import.exported import Node
from operations.n8n_import.findings import Notes, quoted
from operations.n8n_import.http_calls import DEFAULT_TIMEOUT_S, body_type, goes_on, left_out, timeout_s, unread_numbers
from operations.n8n_import.roles import method

_SHORTEST_S = 0.1


def plain_number(value: float) -> int | float:
    """Without a fraction where there is none."""
    return int(value) if value.is_integer() else value


def add_timeout(table: dict[str, object], node: Node, longest_s: float, notes: Notes) -> None:
    """Set `timeout_s` to the node's time-out, within what settings allow."""
    stated = timeout_s(node)
    allowed = min(max(stated, _SHORTEST_S), longest_s)
    table["timeout_s"] = plain_number(allowed)
    if allowed != stated:
        notes.approximated(node.name, f"time-out of {stated:g} s -> {allowed:g} s, the nearest that is allowed")
    elif stated == DEFAULT_TIMEOUT_S:
        notes.mapped(node.name, f"time-out of {stated:g} s (n8n's own where none is named) -> timeout_s")
    else:
        notes.mapped(node.name, f"time-out of {stated:g} s -> timeout_s")


def say_left_out(node: Node, notes: Notes) -> None:
    """Note what is an expression, and what of the request is not taken over."""
    for name in unread_numbers(node):
        notes.not_mapped(node.name, f"{quoted(name)} is no number: n8n's default was assumed")
    for name in left_out(node):
        notes.not_mapped(node.name, f"{quoted(name)} is not taken over")
    if body_type(node) != "json":
        notes.approximated(node.name, f"n8n sent its body as {quoted(body_type(node))}, we send JSON")
    if method(node) != "POST":
        notes.approximated(node.name, f"n8n sent {quoted(method(node))}, we send POST")
    if goes_on(node):
        notes.approximated(node.name, "n8n went on after the last failed try as if all were well; we tell the failure")
