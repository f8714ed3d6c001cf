"""The migration report: Markdown for people, one JSON document for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from operations.n8n_import.credentials import Supply
from operations.n8n_import.dialect_guess import in_words
from operations.n8n_import.findings import Finding, Kind, quoted
from operations.n8n_import.flows import ImportedRoute
from operations.n8n_import.importing import Imported

_TITLES = {
    Kind.SET_UP: ("To set up", "What an export does not hold."),
    Kind.MAPPED: ("Mapped", "Works as it did."),
    Kind.APPROXIMATED: ("Approximated", "Works, but not quite as it did."),
    Kind.NOT_MAPPED: ("Not mapped", "Was left out. Check that you can do without."),
}


def to_markdown(imported: Imported, source: str) -> str:
    """The report."""
    counted = (_counted(imported.workflows, "workflow"), _counted(imported.webhooks, "webhook"))
    lines = [
        "# Migration report",
        "",
        f"From {quoted(source)}: {', '.join(counted)}, {_counted(len(imported.routes), 'route')}.",
        *_section("Webhooks", "", map(route_line, imported.routes)),
        *_section("Secrets to supply", "An export only names credentials.", map(supply_line, imported.supplies)),
    ]
    for kind, (title, words) in _TITLES.items():
        found = (finding_line(finding) for finding in imported.findings if finding.kind is kind)
        lines += _section(title, words, found)
    return "\n".join([*lines, ""])


def _section(title: str, words: str, entries: Iterator[str]) -> Iterator[str]:
    listed = [f"- {entry}" for entry in entries]
    yield from ("", f"## {title}", "")
    if words and listed:
        yield from (words, "")
    yield from listed or ["Nothing."]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def route_line(route: ImportedRoute) -> str:
    """A webhook and the dialect that it seems to speak."""
    off = "" if route.active else " (off)"
    url = quoted(f"{','.join(route.methods)} /webhook/{route.path}")
    return f"{url} -> routes.{route.name}{off}: {in_words(route.guess)}"


def supply_line(supply: Supply) -> str:
    """A secret to supply."""
    where = ", ".join(supply.used_by)
    what = {"$env": "n8n's environment variable", "new": "a new secret of"}.get(supply.kind, quoted(supply.kind))
    return f"`{supply.variable}`: {what} {quoted(supply.credential)}, for {where}"


def finding_line(finding: Finding) -> str:
    """A finding with its workflow and node."""
    where = quoted(finding.workflow) + (f" / {quoted(finding.node)}" if finding.node is not None else "")
    return f"{where}: {finding.text}"


def to_document(imported: Imported, toml: str) -> dict[str, Any]:
    """Everything, for programs."""
    return {
        "configuration": toml,
        "routes": [_route(route) for route in imported.routes],
        "secrets": [
            {"variable": one.variable, "credential": one.credential, "kind": one.kind, "used_by": one.used_by}
            for one in imported.supplies
        ],
        **{str(kind): [_finding(one) for one in imported.findings if one.kind is kind] for kind in _TITLES},
    }


def _route(route: ImportedRoute) -> dict[str, Any]:
    return {
        "route": route.name,
        "workflow": route.workflow,
        "node": route.node,
        "path": route.path,
        "methods": route.methods,
        "active": route.active,
        "dialect": route.guess.dialect,
        "reasons": route.guess.reasons,
        "rivals": route.guess.rivals,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {"workflow": finding.workflow, "node": finding.node, "text": finding.text}
