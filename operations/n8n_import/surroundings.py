"""What the import says about workflows as a whole and about the nodes that become no setting."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from operations.n8n_import.exported import HTTP_REQUEST, RESPOND, SET, WEBHOOK, Node
from operations.n8n_import.findings import Notes, quoted, quoted_expression
from operations.n8n_import.graph import Graph
from operations.n8n_import.origins import assignments
from operations.n8n_import.roles import Roles
from operations.n8n_import.values import Unread, walk

_SILENT = frozenset({"stickyNote", "noOp", WEBHOOK, RESPOND, HTTP_REQUEST})
_REASONS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(["code", "function", "functionItem"], "code is not taken over: check what it did"),
        **dict.fromkeys(
            ["if", "switch", "filter", "merge", "compareDatasets"],
            "branches are not taken over: every request is drawn and called back",
        ),
        **dict.fromkeys(["splitInBatches", "wait", "limit"], "not needed: waiting and retrying are ours"),
        **dict.fromkeys(["executeWorkflow"], "the workflow that it runs is not followed"),
    }
)


def note_workflow(graph: Graph, notes: Notes, names: Mapping[str, str]) -> None:
    """Say what holds for the whole workflow; `names` are the export's workflows by id."""
    workflow = graph.workflow
    if not workflow.active:
        notes.not_mapped(None, "the workflow is inactive: its routes are off (`active = false`), as n8n's were (404)")
    error_workflow = workflow.settings.get("errorWorkflow")
    if isinstance(error_workflow, str) and error_workflow:
        name = names.get(error_workflow)
        shown = quoted(error_workflow) + (f" ({quoted(name)})" if name and name != error_workflow else "")
        notes.set_up(
            None,
            f"alerts: n8n ran the error workflow {shown} when this one failed. Here such a request becomes a dead "
            "letter, and whoever is named in [alerts.channels] is told: set alerts.channels.NAME.url (docs/alerts.md)",
        )
    if workflow.settings.get("executionTimeout") not in {None, "", -1}:
        notes.not_mapped(None, "executionTimeout of the workflow: services.NAME.retry.deadline_s bounds the work here")
    for name in workflow.repeated:
        notes.not_mapped(name, "several nodes have this name: only the first is read")
    _note_unreached(graph, notes)


def _note_unreached(graph: Graph, notes: Notes) -> None:
    workflow = graph.workflow
    reached = set(graph.reached(node.name for node in graph.webhooks))
    for node in workflow.nodes.values():
        if node.name not in reached and node.type != "stickyNote":
            notes.not_mapped(node.name, f"{quoted(node.type)} is reached from no webhook")
    targets = {target for outputs in workflow.links.values() for output in outputs for target in output}
    for name in sorted((targets | workflow.links.keys()) - workflow.nodes.keys()):
        notes.not_mapped(name, "a connection names this node, which is not there")


def note_nodes(graph: Graph, webhook: Node, found: Roles, notes: Notes) -> None:
    """Say what becomes of the nodes behind a webhook that are neither service nor callback."""
    for name in graph.reached([webhook.name]):
        node = graph.node(name)
        if node.disabled:
            notes.not_mapped(name, "disabled: n8n skipped it too")
        elif node.type == SET:
            _note_set(node, notes)
        elif node.type not in _SILENT:
            notes.not_mapped(name, _REASONS.get(node.type, f"{quoted(node.type)} is not taken over"))
    for name in found.others:
        notes.not_mapped(name, "a further call: polling and downloading are ours, anything else is not taken over")
    if len(found.services) > 1:
        notes.approximated(
            webhook.name,
            f"{len(found.services)} services: the first is used unless the request names another; say in "
            "service_names what requests call them",
        )


def _note_set(node: Node, notes: Notes) -> None:
    fields = assignments(node)
    for name, value in fields.items():
        for part in walk(value):
            if isinstance(part, Unread):
                shown = quoted_expression(part.text)
                notes.not_mapped(node.name, f"field {quoted(name)}: the expression {shown} cannot be read")
    if fields and not any(isinstance(part, Unread) for value in fields.values() for part in walk(value)):
        notes.mapped(node.name, "its fields are followed to where they come from")
    elif not fields:
        notes.not_mapped(node.name, "its fields cannot be read")
