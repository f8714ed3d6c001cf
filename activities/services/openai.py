"""OpenAI-compatible services: `POST /v1/images/generations`.

Seed, steps, cfg_scale and negative prompt do not exist in this protocol and are dropped.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import JsonValue

from activities.services.synchronous import SynchronousService
from contracts.requests import ImageRequest

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

    def url(self) -> str:
        """The images endpoint; a base_url may end in /v1 or before it."""
        base = self.settings.base_url
        return f"{base}/images/generations" if base.endswith("/v1") else f"{base}/v1/images/generations"

    def body(self, request: ImageRequest, model: str | None, size: tuple[int, int]) -> dict[str, JsonValue]:
        """The images request."""
        custom = {name: value for name, value in (request.custom or {}).items() if name in PARAMETERS}
        width, height = size
        return {"n": 1, **custom, "prompt": request.prompt, "model": model, "size": f"{width}x{height}"}
