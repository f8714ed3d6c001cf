"""The whole import: workflows in, settings and findings out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from operations.n8n_import.credentials import Secrets, Supply
from operations.n8n_import.exported import Workflow
from operations.n8n_import.findings import Finding, Notes
from operations.n8n_import.flows import Flow, ImportedRoute, Sections
from operations.n8n_import.graph import Graph
from operations.n8n_import.surroundings import note_workflow
from runtime.settings import WorkerSettings

_GRACE_S = 20
"""Seconds that a worker gets beyond its longest call."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an export."""

    sections: Sections
    shutdown_grace_s: int | None
    """worker.shutdown_grace_s, where the default is too short for the services' time-outs."""
    routes: tuple[ImportedRoute, ...]
    findings: tuple[Finding, ...]
    supplies: tuple[Supply, ...]
    workflows: int
    webhooks: int


def import_workflows(workflows: Sequence[Workflow]) -> Imported:
    """Take over what can be, and say what cannot."""
    notes = [Notes(workflow.name) for workflow in workflows]
    graphs = [Graph(workflow) for workflow in workflows]
    names = {workflow.id: workflow.name for workflow in workflows if workflow.id}
    for graph, note in zip(graphs, notes, strict=True):
        note_workflow(graph, note, names)
    flows = [
        Flow(webhook, graph, note) for graph, note in zip(graphs, notes, strict=True) for webhook in graph.webhooks
    ]
    sections, secrets = Sections(), Secrets()
    routes = _routes(flows, sections, secrets)
    return Imported(
        sections=sections,
        shutdown_grace_s=_grace_s(sections),
        routes=tuple(routes),
        findings=tuple(finding for note in notes for finding in note.found),
        supplies=tuple(_used(secrets, sections)),
        workflows=len(workflows),
        webhooks=len(flows),
    )


def _routes(flows: list[Flow], sections: Sections, secrets: Secrets) -> list[ImportedRoute]:
    routes: list[ImportedRoute] = []
    taken: dict[tuple[str, str], str] = {}
    # Where two webhooks have one path, the one that n8n answers is taken.
    for flow in sorted(flows, key=lambda flow: not flow.is_active):
        read = flow.read(sections, taken, secrets)
        if read is not None:
            made, route = read
            sections.add(made)
            routes.append(route)
            taken |= {(method, route.path): route.name for method in route.methods}
    return routes


def _grace_s(sections: Sections) -> int | None:
    retries = (service["retry"] for service in sections.services.values())
    longest = max((float(retry["timeout_s"]) for retry in retries if isinstance(retry, dict)), default=0.0)
    return int(longest) + _GRACE_S if longest >= WorkerSettings().shutdown_grace_s else None


def _used(secrets: Secrets, sections: Sections) -> list[Supply]:
    # A webhook that became no route has left nothing to supply.
    text = repr((sections.store, sections.services, sections.routes))
    return [supply for supply in secrets.supplies.values() if f"'env:{supply.variable}'" in text]
