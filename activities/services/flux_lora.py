"""Flux LoRA services: `POST /generate`, with names of fields that each deployment may choose."""

from __future__ import annotations

from typing import ClassVar

from pydantic import JsonValue

from activities.services.synchronous import SynchronousService
from contracts.requests import ImageRequest


class FluxLoraService(SynchronousService):
    """An account at a Flux LoRA service."""

    images: ClassVar[str] = "images"

    def url(self) -> str:
        """The one endpoint."""
        return f"{self.settings.base_url}/generate"

    def body(self, request: ImageRequest, model: str | None, size: tuple[int, int]) -> dict[str, JsonValue]:
        """The parameters under their configured names, beside the custom ones that collide with none of them."""
        own: dict[str, JsonValue] = {
            "text_prompt": request.prompt,
            "neg_prompt": request.negative_prompt,
            "model": model,
            "width": size[0],
            "height": size[1],
            "seed": request.seed,
            "steps": request.steps,
            "cfg_scale": request.cfg_scale,
        }
        named = {self.settings.fields.get(name, name): value for name, value in own.items()}
        named.pop("", None)
        return {**(request.custom or {}), **named}
