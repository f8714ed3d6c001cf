"""Which dialect a webhook seems to speak, by the names that its workflow uses, and how sure that is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from operations.n8n_import.dialect_marks import MARKS, Marks
from operations.n8n_import.exported import Node
from operations.n8n_import.findings import quoted
from operations.n8n_import.http_calls import body, headers
from operations.n8n_import.values import Record, Sequence, Value, literal_text, walk

_BODY_FIELD = re.compile(r"\bbody(?:\?)?(?:\.|\[\s*['\"])([A-Za-z_][A-Za-z0-9_]{0,63})", re.ASCII)
_FULL = 6
"""What a mark of a single dialect counts; one of several dialects counts its share."""
_MARGIN = 3.0
"""How much more than the second the best must have."""
_REASONS = 6


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a workflow shows of its dialect."""

    webhook_path: str = ""
    asked: frozenset[str] = frozenset()
    sent: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    callback_path: str = ""
    headers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Guess:
    """The dialect and why."""

    dialect: str
    reasons: tuple[str, ...]
    rivals: tuple[str, ...] = ()
    """The other dialects that it may as well be; empty where the guess is clear."""


def asked_fields(nodes: Iterable[Node]) -> frozenset[str]:
    """The fields of the webhook's body that the parameters of these nodes name, wherever they do."""
    texts = (text for node in nodes for text in _texts(dict(node.parameters)))
    return frozenset(name for text in texts for name in _BODY_FIELD.findall(text))


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for item in value.values() for text in _texts(item))
    elif isinstance(value, list):
        yield from (text for item in value for text in _texts(item))


def callback_fields(node: Node) -> Record | None:
    """The fields that a callback sends, out of a JSON-RPC envelope if there is one."""
    content = body(node)
    if not isinstance(content, Record):
        return None
    inner = dict(content.fields).get("params")
    return inner if has_envelope(content) and isinstance(inner, Record) else content


def has_envelope(content: Value | None) -> bool:
    """Whether that body is a JSON-RPC envelope."""
    return isinstance(content, Record) and "jsonrpc" in dict(content.fields)


def evidence(webhook_path: str, nodes: Iterable[Node], callbacks: Iterable[Node], callback_path: str) -> Evidence:
    """What the nodes behind a webhook show."""
    sent: set[str] = set()
    words: set[str] = set()
    names: set[str] = set()
    for node in callbacks:
        names |= {name.lower() for name, _ in headers(node)}
        record = callback_fields(node)
        fields = dict(record.fields) if record else {}
        sent |= fields.keys()
        words |= _words(fields.get("status"))
    asked = asked_fields(nodes)
    return Evidence(webhook_path, asked, frozenset(sent), frozenset(words), callback_path, frozenset(names))


def _words(value: Value | None) -> set[str]:
    inner = () if value is None or isinstance(value, Record | Sequence) else walk(value)
    return {text for part in inner if (text := literal_text(part)) is not None}


def guess(seen: Evidence) -> Guess:
    """The dialect that most of the evidence speaks for."""
    found = {dialect: list(_marks_found(seen, marks)) for dialect, marks in MARKS.items()}
    shared = [reason for reasons in found.values() for reason in reasons]
    scores = {dialect: sum(_FULL / shared.count(reason) for reason in reasons) for dialect, reasons in found.items()}
    best = max(scores, key=lambda dialect: scores[dialect])
    rivals = tuple(name for name, score in scores.items() if name != best and scores[best] - score < _MARGIN)
    reasons = sorted(found[best], key=shared.count)
    return Guess(best, tuple(reasons[:_REASONS]), rivals)


def _marks_found(seen: Evidence, marks: Marks) -> Iterator[str]:
    yield from (f"reads {quoted(name)} from the request" for name in sorted(seen.asked & marks.asked))
    yield from (f"sends {quoted(name)} in the callback" for name in sorted(seen.sent & marks.sent))
    yield from (f"says {quoted(word)} as the outcome" for word in sorted(seen.words & marks.words))
    yield from (f"sends the header {quoted(name)}" for name in sorted(seen.headers & marks.headers))
    if seen.callback_path.endswith(marks.callback_path):
        yield f"calls back at {quoted(marks.callback_path)}"
    if marks.webhook_path and seen.webhook_path == marks.webhook_path:
        yield f"has the documented path {quoted(marks.webhook_path)}"


def in_words(found: Guess) -> str:
    """The guess as a sentence."""
    why = "; ".join(found.reasons) or "nothing in the workflow names a field of any dialect"
    if not found.rivals:
        return f"dialect {found.dialect}: it {why}" if found.reasons else f"dialect {found.dialect}: {why}"
    others = ", ".join(found.rivals)
    return f"dialect {found.dialect}, but it may as well be {others}: {why}. Which does Odoo speak? Set `dialect`"
