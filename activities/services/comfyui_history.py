"""What ComfyUI's history says of a finished job: images to fetch, or why there are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

from pydantic import JsonValue

from activities.services.base import RemoteArtifact, ServiceError
from activities.services.http_errors import Reply
from contracts.errors import FailureClass, Retry

Entry = Mapping[str, JsonValue]

_MOST_IMAGES = 64
_SHOWN = 150


def read_history(reply: Reply, entry: Entry, base_url: str, seed: int | None) -> tuple[RemoteArtifact, ...] | None:
    """The images of a history entry, None where it is not finished; raises `ServiceError` for a job that failed."""
    status = _mapping(entry.get("status"))
    events = dict(_events(status))
    if "execution_interrupted" in events:
        raise _ended(reply, FailureClass.JOB_CANCELLED, "the job was interrupted at the service")
    if status.get("status_str") == "error" or "execution_error" in events:
        raise _failed(reply, _mapping(events.get("execution_error")))
    images = _images(entry)
    if images:
        return tuple(RemoteArtifact(url=f"{base_url}/view?{urlencode(image)}", seed=seed) for image in images)
    if status and not status.get("completed"):
        return None
    message = "the job finished without an image: the workflow needs a SaveImage node that is reached"
    raise _ended(reply, FailureClass.PROTOCOL_ERROR, message)


def node_errors(content: Mapping[str, JsonValue]) -> Iterator[tuple[str, str]]:
    """Each error of a refused workflow as its machine code and a sentence that names the node."""
    for number, node in _mapping(content.get("node_errors")).items():
        kind = _mapping(node).get("class_type") or "node"
        errors = _mapping(node).get("errors")
        for error in errors if isinstance(errors, list) else ():
            one = _mapping(error)
            said = " ".join(str(one[name]) for name in ("message", "details") if one.get(name))
            yield str(one.get("type") or ""), f"node {number} ({kind}): {said[:_SHOWN]}"


def _events(status: Entry) -> Iterator[tuple[str, JsonValue]]:
    messages = status.get("messages")
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, list) and message and isinstance(message[0], str):
            yield message[0], message[1] if len(message) > 1 else None


def _failed(reply: Reply, error: Entry) -> ServiceError:
    kind = error.get("exception_type")
    node = f"node {error.get('node_id')} ({error.get('node_type')})" if error.get("node_id") else "the workflow"
    said = str(error.get("exception_message") or "no reason is given").strip()
    code = kind if isinstance(kind, str) else None
    return _ended(reply, FailureClass.GENERATION_FAILED, f"{node} failed: {said}", code)


def _images(entry: Entry) -> list[dict[str, str]]:
    """What was saved; where nothing was, the previews."""
    found = [
        {name: str(image.get(name) or "") for name in ("filename", "subfolder", "type")}
        for output in _mapping(entry.get("outputs")).values()
        for image in _listed(_mapping(output).get("images"))
        if isinstance(image.get("filename"), str) and image.get("filename")
    ]
    return [image for image in found if image["type"] == "output"][:_MOST_IMAGES] or found[:_MOST_IMAGES]


def _listed(value: JsonValue) -> list[Entry]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _mapping(value: JsonValue) -> Entry:
    return value if isinstance(value, dict) else {}


def _ended(reply: Reply, failure: FailureClass, message: str, code: str | None = None) -> ServiceError:
    # Asked again, the history says the same.
    return ServiceError(reply.failure(failure, message, code), retry=Retry.NEVER)
