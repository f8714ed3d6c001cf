"""Reading the images out of a 2xx answer, whatever form they have, and the refusals that are disguised as success."""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from activities.services.base import InlineArtifact, RemoteArtifact, ServiceError
from activities.services.http_errors import Reply, read_refusal
from activities.services.refusals import Phase, names_moderation
from contracts.errors import FailureClass
from contracts.json_body import parse_json

_INLINE = ("b64_json", "base64")
_URL_LIMIT = 16 * 1024
_FINISH = ("finish_reason", "finishReason")
_DATA_URI = re.compile(r"data:image/(?:png|jpe?g|webp|gif)(?:;[^;,]*)*;base64,", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service made. `model` is the one it says it used."""

    artifacts: tuple[InlineArtifact | RemoteArtifact, ...]
    model: str | None = None


def read_answer(reply: Reply, member: str) -> Answer:
    """The images in the list `member` of the reply's JSON object.

    An image is an object with `b64_json`, `base64` or `url` (http, https, or a data: URI of a raster type), or such a
    text itself. Raises `ServiceError`: ProtocolError where there is none, ContentRejected where moderation took it.
    """
    content = parse_json(reply.body)
    if not isinstance(content, dict):
        raise _unusable(reply)
    entries = content.get(member)
    listed = entries if isinstance(entries, list) else []
    flags = _flags(content, listed)
    images = [entry for entry, flag in zip(listed, flags, strict=True) if _holds_something(entry) and not flag]
    if _is_filtered(dict(content)) or _is_filtered_by_header(reply) or (not images and any(flags)):
        reason = f"HTTP {reply.status}, but moderation took the image"
        raise ServiceError(reply.failure(FailureClass.CONTENT_REJECTED, reason, output_refused=True))
    if not images:
        raise _unusable(reply)
    metadata = _mapping(content.get("metadata"))
    seed = _whole(content.get("seed"), metadata.get("seed"))
    model = content.get("model") or metadata.get("model")
    artifacts = tuple(read_image(reply, entry, seed) for entry in images)
    return Answer(artifacts, reply.short(model) if isinstance(model, str) else None)


def _unusable(reply: Reply) -> ServiceError:
    return ServiceError(*read_refusal(reply, Phase.SUBMIT, now=time.time()))


def _is_filtered_by_header(reply: Reply) -> bool:
    return names_moderation(reply.headers.get("finish-reason", ""))


def _is_filtered(part: JsonValue) -> bool:
    return any(names_moderation(str(_mapping(part).get(name) or "")) for name in _FINISH)


def _flags(content: Mapping[str, JsonValue], entries: Sequence[JsonValue]) -> list[bool]:
    """For each entry, whether moderation took it; a black picture may stand in its place."""
    marks = content.get("has_nsfw_concepts")
    marked = marks if isinstance(marks, list) else [marks] * len(entries)
    return [
        _is_filtered(entry) or bool(number < len(marked) and marked[number]) for number, entry in enumerate(entries)
    ]


def _holds_something(entry: JsonValue) -> bool:
    return bool(isinstance(entry, str) and entry) or any(_mapping(entry).get(name) for name in (*_INLINE, "url"))


def read_image(reply: Reply, entry: JsonValue, seed: int | None) -> InlineArtifact | RemoteArtifact:
    """One image, in the forms of `read_answer`; `seed` where it names none. Raises `ServiceError` ProtocolError."""
    image = _mapping(entry)
    own_seed = _whole(image.get("seed"), seed)
    inline = next((value for name in _INLINE if isinstance(value := image.get(name), str) and value), None)
    text = entry if isinstance(entry, str) else inline or image.get("url")
    if isinstance(text, str) and text.lower().startswith(("http://", "https://")):
        return RemoteArtifact(url=_storable_url(reply, text), seed=own_seed)
    if isinstance(text, str) and (isinstance(entry, str) or inline or text.startswith("data:")):
        return InlineArtifact(_decoded(reply, text), own_seed)
    raise _no_image(reply, "the image is neither base64 data nor an http(s) url")


def _storable_url(reply: Reply, url: str) -> str:
    if len(url) > _URL_LIMIT or not url.isprintable():
        raise _no_image(reply, f"the image's url has more than {_URL_LIMIT} characters or some that no url has")
    return url


def _decoded(reply: Reply, text: str) -> bytes:
    if text.startswith("data:"):
        prefix = _DATA_URI.match(text)
        if prefix is None:
            raise _no_image(reply, f"a data: URI must be a base64 PNG, JPEG, WebP or GIF, not {text[:40]}")
        text = text[prefix.end() :]
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _no_image(reply, "the image is not valid base64") from None


def _no_image(reply: Reply, reason: str) -> ServiceError:
    return ServiceError(reply.failure(FailureClass.PROTOCOL_ERROR, f"HTTP {reply.status}, but {reason}"))


def _mapping(value: JsonValue) -> Mapping[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _whole(*values: JsonValue) -> int | None:
    return next((value for value in values if isinstance(value, int) and not isinstance(value, bool)), None)
