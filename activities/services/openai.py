"""OpenAI-compatible services: `POST /v1/images/generations`.

Seed, steps, cfg_scale and negative prompt do not exist in this protocol and are dropped.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import JsonValue

from activities.services.synchronous import Asked, SynchronousService

PARAMETERS = frozenset(
    {
        "background",
        "moderation",
        "n",
        "output_compression",
        "output_format",
        "quality",
        "response_format",
        "safety_identifier",
        "style",
        "user",
    }
)
"""What a request's custom parameters may set; services refuse what they do not know."""


class OpenAIService(SynchronousService):
    """An account at a service that speaks OpenAI's images API."""

    images: ClassVar[str] = "data"

    def url(self, asked: Asked) -> str:  # noqa: ARG002 - one endpoint for all models
        """The images endpoint; a base_url may end in /v1 or before it."""
        base = self.settings.base_url
        return f"{base}/images/generations" if base.endswith("/v1") else f"{base}/v1/images/generations"

    def body(self, asked: Asked) -> dict[str, JsonValue]:
        """The images request."""
        custom = asked.custom(PARAMETERS)
        width, height = asked.size
        return {"n": 1, **custom, "prompt": asked.request.prompt, "model": asked.model, "size": f"{width}x{height}"}
