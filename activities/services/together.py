"""Together AI: `POST /v1/images/generations`, near OpenAI's images API, with seed, steps, negative prompt and LoRAs."""

from __future__ import annotations

from typing import ClassVar

from pydantic import JsonValue

from activities.services.synchronous import Asked, SynchronousService

PARAMETERS = frozenset({"disable_safety_checker", "n", "output_format"})
"""What a request's custom parameters may set."""


class TogetherService(SynchronousService):
    """An account at Together AI."""

    images: ClassVar[str] = "data"
    takes_loras: ClassVar[bool] = True

    def url(self, asked: Asked) -> str:  # noqa: ARG002 - one endpoint for all models
        """The images endpoint; a base_url may end in /v1 or before it."""
        base = self.settings.base_url
        return f"{base}/images/generations" if base.endswith("/v1") else f"{base}/v1/images/generations"

    def body(self, asked: Asked) -> dict[str, JsonValue]:
        """The images request. Base64 is `base64` here, not OpenAI's `b64_json`: nothing is left to download."""
        request = asked.request
        return {
            "n": 1,
            **asked.custom(PARAMETERS),
            "prompt": request.prompt,
            "negative_prompt": request.negative_prompt,
            "model": asked.model,
            "width": asked.size[0],
            "height": asked.size[1],
            "seed": request.seed,
            "steps": request.steps,
            "guidance_scale": request.cfg_scale,
            "image_loras": [{"path": lora.path, "scale": lora.scale} for lora in asked.loras] or None,
            "response_format": "base64",
        }
