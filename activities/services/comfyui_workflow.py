"""ComfyUI's workflow in API format: read from its file, and patched with what a request asks for."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import JsonValue

WORKFLOW_LIMIT = 4 * 2**20
"""Bytes of a workflow file."""

Workflow = dict[str, Any]


class WorkflowError(Exception):
    """The workflow file or a patch cannot be used; the message says what to do."""


def read_workflow(path: Path | None) -> Workflow:
    """The workflow of a file; raises `WorkflowError`."""
    if path is None:
        raise WorkflowError("workflow_file is not set")
    try:
        content = json.loads(path.read_bytes()[: WORKFLOW_LIMIT + 1])
    except OSError as error:
        raise WorkflowError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise WorkflowError(f"{path}: is not JSON of at most {WORKFLOW_LIMIT // 2**20} MiB") from None
    nodes = list(content.values()) if isinstance(content, dict) else []
    if not nodes or not all(isinstance(node, dict) and isinstance(node.get("inputs"), dict) for node in nodes):
        raise WorkflowError(f"{path}: is no workflow in API format: export it with Workflow > Export (API)")
    return dict(content)


def patched(workflow: Workflow, patches: Mapping[str, str], values: Mapping[str, JsonValue]) -> Workflow:
    """A copy in which each value stands at its patch's places; a value without a patch or None changes nothing.

    Raises `WorkflowError` where a place is not there.
    """
    result = copy.deepcopy(workflow)
    for name, places in patches.items():
        for place in places.split(","):
            holder, key = _place(result, name, place.strip())
            if values.get(name) is not None:
                holder[key] = values[name]
    return result


def _place(workflow: Workflow, name: str, place: str) -> tuple[Workflow, str]:
    *path, last = place.split(".")
    holder: Any = workflow
    for key in path:
        holder = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(holder, dict) or last not in holder:
        raise WorkflowError(f"patches.{name}: the workflow has no {place}; a place looks like 6.inputs.text")
    return holder, last
