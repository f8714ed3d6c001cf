"""Stability AI v2beta: `POST /v2beta/stable-image/generate/{core,ultra,sd3}`, multipart, answered with base64."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import JsonValue

from activities.services.answers import Answer, read_image
from activities.services.base import ServiceError
from activities.services.client import Content
from activities.services.http_errors import Reply
from activities.services.refusals import Phase, names_moderation
from activities.services.synchronous import Asked, SynchronousService
from contracts.errors import FailureClass
from contracts.json_body import parse_json

PARAMETERS = frozenset({"output_format", "style_preset"})
"""What a request's custom parameters may set."""


class StabilityService(SynchronousService):
    """An account at Stability AI."""

    images: ClassVar[str] = "image"

    def url(self, asked: Asked) -> str:
        """The endpoint of the model: core, ultra, or sd3 for the whole SD3 family."""
        endpoint = self._endpoint(asked.model)
        return f"{self.settings.base_url}/v2beta/stable-image/generate/{endpoint}"

    def body(self, asked: Asked) -> dict[str, JsonValue]:
        """The form's fields."""
        request = asked.request
        family = self._endpoint(asked.model) == "sd3" and asked.model != "sd3"
        return {
            **asked.custom(PARAMETERS),
            "prompt": request.prompt,
            "negative_prompt": request.negative_prompt,
            "aspect_ratio": request.aspect_ratio,
            "seed": request.seed,
            "model": asked.model if family else None,
        }

    def content(self, fields: Mapping[str, JsonValue]) -> Content:
        """A multipart form, the only thing that the service takes."""
        return self._client.form({name: str(value) for name, value in fields.items()})

    def read(self, reply: Reply) -> Answer:
        """The one image; status 200 with finish_reason CONTENT_FILTERED has a blurred one, which is none."""
        content = parse_json(reply.body)
        content = content if isinstance(content, dict) else {}
        reason = content.get("finish_reason") or content.get("finish-reason") or reply.headers.get("finish-reason")
        if names_moderation(str(reason or "")):
            message = f"HTTP {reply.status}, but moderation took the image"
            raise ServiceError(reply.failure(FailureClass.CONTENT_REJECTED, message, str(reason), output_refused=True))
        image, seed = content.get(self.images), content.get("seed")
        if not isinstance(image, str) or not image:
            raise self._client.refusal(reply, Phase.SUBMIT)
        return Answer((read_image(reply, {"base64": image}, seed if type(seed) is int else None),))

    def _endpoint(self, model: str | None) -> str:
        if model in {"core", "ultra"}:
            return model or ""
        if model and model.startswith("sd3"):
            return "sd3"
        message = (
            f"model {(model or 'none')[:80]!r} is none of core, ultra, sd3 and sd3.5-...: "
            f"set services.{self.name}.model or name one of them"
        )
        raise self.refused(FailureClass.MODEL_NOT_FOUND, message)
