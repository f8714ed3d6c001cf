"""Reading an export. It may be damaged, of another kind, or made to do harm: then one clear line says so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from pydantic import JsonValue

from operations.n8n_import.exported import Node, Object, Workflow, as_list, as_object
from operations.n8n_import.findings import quoted

LARGEST = 64 * 2**20
"""Bytes of an export; n8n's own limit for a workflow is 16 MiB."""
DEEPEST = 100
"""Levels of nesting."""
_HOW = "make one with: n8n export:workflow --all --output=export.json"
_SURROGATE = re.compile("[\ud800-\udfff]")
_BOMS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))


class ExportError(Exception):
    """The file is no export that can be read. The message is one line."""


def read_export(content: bytes) -> list[Workflow]:
    """The workflows of an export: one, a list, or the answer of n8n's API. Raises `ExportError`."""
    if len(content) > LARGEST:
        raise ExportError(f"is larger than {LARGEST // 2**20} MiB: export fewer workflows at a time")
    items = _items(_cleaned(_parsed(_decoded(content)), DEEPEST))
    if not items:
        raise ExportError(f"holds no workflow; {_HOW}")
    return [_workflow(item, f"workflow {number}") for number, item in enumerate(items, start=1)]


def _decoded(content: bytes) -> str:
    encoding = next((name for mark, name in _BOMS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise ExportError(f"is not text in UTF-8; {_HOW}") from None


def _parsed(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text, parse_constant=_refused_constant)
    except json.JSONDecodeError as error:
        if not text[error.pos :].strip():
            raise ExportError("is not complete: the JSON ends too early; export it again") from None
        raise ExportError(f"is not valid JSON (line {error.lineno}, column {error.colno}); {_HOW}") from None
    except RecursionError:
        raise ExportError(_too_deep()) from None
    except ValueError:
        raise ExportError(f"is not valid JSON: it holds a number that is none or far too long; {_HOW}") from None
    return value


def _refused_constant(name: str) -> float:
    raise ValueError(name)


def _too_deep() -> str:
    return f"is nested deeper than {DEEPEST} levels: no workflow is"


def _cleaned(value: JsonValue, levels: int) -> JsonValue:
    """Without halves of surrogate pairs, which no file can hold."""
    if levels == 0:
        raise ExportError(_too_deep())
    if isinstance(value, str):
        return _well_formed(value)
    if isinstance(value, list):
        return [_cleaned(item, levels - 1) for item in value]
    if isinstance(value, dict):
        return {_well_formed(name): _cleaned(item, levels - 1) for name, item in value.items()}
    return value


def _well_formed(text: str) -> str:
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def _items(value: JsonValue) -> list[JsonValue]:
    if isinstance(value, dict):
        return as_list(value["data"]) if "data" in value and "nodes" not in value else [value]
    if isinstance(value, list):
        return value
    raise ExportError(f"is no n8n export: it must be a workflow or a list of workflows; {_HOW}")


def _workflow(item: JsonValue, where: str) -> Workflow:
    if not isinstance(item, dict) or not isinstance(item.get("nodes"), list):
        raise ExportError(f"{where} has no list of nodes: this is no export of workflows; {_HOW}")
    name = item.get("name")
    name = name if isinstance(name, str) and name.strip() else where
    listed = [_node(node, f"{where}, node {number}") for number, node in enumerate(as_list(item["nodes"]), start=1)]
    nodes = {node.name: node for node in reversed(listed)}
    identity = item.get("id")
    return Workflow(
        name=name,
        id=str(identity) if isinstance(identity, str | int) else "",
        active=item.get("active") is not False and item.get("isArchived") is not True,
        nodes={node.name: nodes[node.name] for node in listed},
        links=dict(_links(item.get("connections"), where)),
        settings=as_object(item.get("settings")),
        repeated=tuple(dict.fromkeys(node.name for node in listed if nodes[node.name] is not node)),
    )


def _node(item: JsonValue, where: str) -> Node:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str) or not isinstance(item.get("type"), str):
        raise ExportError(f"{where} must be an object with a name and a type")
    return Node(
        name=str(item["name"]),
        type=str(item["type"]).rpartition(".")[2],
        parameters=as_object(item.get("parameters")),
        settings=item,
        credentials=dict(_credentials(as_object(item.get("credentials")))),
        disabled=item.get("disabled") is True,
    )


def _credentials(item: Object) -> Iterator[tuple[str, str]]:
    for kind, credential in item.items():
        # Before n8n 0.150 a credential was its name alone.
        name = credential if isinstance(credential, str) else as_object(credential).get("name")
        yield kind, name if isinstance(name, str) else ""


def _links(item: JsonValue, where: str) -> Iterator[tuple[str, tuple[tuple[str, ...], ...]]]:
    if item is not None and not isinstance(item, dict):
        raise ExportError(f"{where}: connections must be an object keyed by node name")
    for source, outputs in as_object(item).items():
        main = as_object(outputs).get("main")
        if main is not None and not isinstance(main, list):
            raise ExportError(f"{where}: the connections of {quoted(source)} must be lists")
        yield source, tuple(tuple(_targets(output)) for output in as_list(main))


def _targets(output: JsonValue) -> Iterator[str]:
    for target in as_list(output):
        name = as_object(target).get("node")
        if isinstance(name, str):
            yield name
