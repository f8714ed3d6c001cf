"""Google Gemini: `POST /v1beta/models/{model}:generateContent` with images as the answer's modality."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import ClassVar

from pydantic import JsonValue

from activities.services.answers import Answer, read_image
from activities.services.base import ServiceError
from activities.services.http_errors import Reply
from activities.services.refusals import Phase
from activities.services.synchronous import Asked, SynchronousService
from contracts.errors import FailureClass
from contracts.json_body import parse_json

_MODEL = re.compile(r"(?:models/|tunedModels/)?[A-Za-z0-9][A-Za-z0-9._-]*")
_SIZES = (("1K", 1024), ("2K", 2048), ("4K", 4096))
"""The sizes by their name, and the side in pixels of a square of that size."""
_REFUSED_IMAGE = frozenset(
    {
        "BLOCKLIST",
        "ESCALATION",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "IMAGE_SAFETY",
        "MODEL_ARMOR",
        "PROHIBITED_CONTENT",
        "RECITATION",
        "SAFETY",
        "SPII",
    }
)
"""Finish reasons by which moderation took the image."""


class GeminiService(SynchronousService):
    """An account at the Gemini API."""

    images: ClassVar[str] = "candidates"

    def url(self, asked: Asked) -> str:
        """The model's endpoint; a base_url may end in /v1beta (or another version) or before it. No key in it."""
        model = asked.model or ""
        if not _MODEL.fullmatch(model):
            message = f"model {model[:80]!r} is no name of a Gemini model: set services.{self.name}.model"
            raise self.refused(FailureClass.MODEL_NOT_FOUND, message)
        base = self.settings.base_url
        versioned = base if re.search(r"/v\d\w*$", base) else f"{base}/v1beta"
        return f"{versioned}/{model if '/' in model else f'models/{model}'}:generateContent"

    def body(self, asked: Asked) -> dict[str, JsonValue]:
        """The prompt, and the shape as aspect ratio and 1K, 2K or 4K; 1K is the service's own default."""
        image: dict[str, JsonValue] = {}
        if asked.request.aspect_ratio:
            image["aspectRatio"] = asked.request.aspect_ratio
        if (size := image_size(asked.size)) != "1K":
            image["imageSize"] = size
        generation: dict[str, JsonValue] = {"responseModalities": ["IMAGE"]}
        return {
            "contents": [{"role": "user", "parts": [{"text": asked.request.prompt}]}],
            "generationConfig": {**generation, **({"imageConfig": image} if image else {})},
        }

    def read(self, reply: Reply) -> Answer:
        """The images of all candidates; an answer without one says why in its own way."""
        content = parse_json(reply.body)
        content = content if isinstance(content, dict) else {}
        images = [read_image(reply, {"base64": data}, None) for data in _inline_data(content)]
        if not images:
            raise self._without_image(reply, content)
        model = content.get("modelVersion")
        return Answer(tuple(images), reply.short(model) if isinstance(model, str) else None)

    def _without_image(self, reply: Reply, content: dict[str, JsonValue]) -> ServiceError:
        feedback = content.get("promptFeedback")
        blocked = feedback.get("blockReason") if isinstance(feedback, dict) else None
        if isinstance(blocked, str) and blocked:
            message = f"HTTP {reply.status}, but the prompt was refused: {blocked}"
            return ServiceError(reply.failure(FailureClass.CONTENT_REJECTED, message, blocked, output_refused=False))
        reasons = [str(one["finishReason"]) for one in _objects(content.get("candidates")) if one.get("finishReason")]
        if not reasons:
            return self._client.refusal(reply, Phase.SUBMIT)
        refused = next((reason for reason in reasons if reason in _REFUSED_IMAGE), None)
        if refused:
            message = f"HTTP {reply.status}, but moderation took the image: {refused}"
            return ServiceError(reply.failure(FailureClass.CONTENT_REJECTED, message, refused, output_refused=True))
        said = " ".join(_texts(content))
        message = f"HTTP {reply.status} without an image ({reasons[0]}){f'; the model said: {said}' if said else ''}"
        return ServiceError(reply.failure(FailureClass.GENERATION_FAILED, message, reasons[0]))


def image_size(size: tuple[int, int]) -> str:
    """The name of the size that comes nearest in area."""
    side = math.sqrt(size[0] * size[1])
    return min(_SIZES, key=lambda one: abs(math.log(side / one[1])))[0]


def _inline_data(content: dict[str, JsonValue]) -> Iterator[str]:
    for part in _parts(content):
        inline = part.get("inlineData") or part.get("inline_data")
        data = inline.get("data") if isinstance(inline, dict) else None
        # Thinking models draw drafts, marked as thoughts.
        if isinstance(data, str) and data and not part.get("thought"):
            yield data


def _texts(content: dict[str, JsonValue]) -> Iterator[str]:
    for part in _parts(content):
        if isinstance(text := part.get("text"), str):
            yield text


def _parts(content: dict[str, JsonValue]) -> Iterator[dict[str, JsonValue]]:
    for candidate in _objects(content.get("candidates")):
        inner = candidate.get("content")
        yield from _objects(inner.get("parts") if isinstance(inner, dict) else None)


def _objects(value: JsonValue) -> list[dict[str, JsonValue]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
