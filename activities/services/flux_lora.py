"""Flux LoRA services: `POST /generate`, with names of fields that each deployment may choose."""

from __future__ import annotations

from typing import ClassVar

from pydantic import JsonValue

from activities.services.synchronous import Asked, SynchronousService
from contracts.loras import FIELDS, Lora
from contracts.requests import ImageRequest


class FluxLoraService(SynchronousService):
    """An account at a Flux LoRA service."""

    images: ClassVar[str] = "images"
    takes_loras: ClassVar[bool] = True

    def url(self, asked: Asked) -> str:  # noqa: ARG002 - one endpoint for all models
        """The one endpoint."""
        return f"{self.settings.base_url}/generate"

    def body(self, asked: Asked) -> dict[str, JsonValue]:
        """The parameters under their configured names, beside the custom ones that collide with none of them."""
        request = asked.request
        own: dict[str, JsonValue] = {
            "text_prompt": request.prompt,
            "neg_prompt": request.negative_prompt,
            "model": asked.model,
            "width": asked.size[0],
            "height": asked.size[1],
            "seed": request.seed,
            "steps": request.steps,
            "cfg_scale": request.cfg_scale,
        }
        custom = request.custom or {}
        if self.settings.loras:
            own["loras"] = [{"path": lora.path, "scale": lora.scale} for lora in asked.loras] or None
            custom = {name: value for name, value in custom.items() if name not in FIELDS}
        named = {self.settings.fields.get(name, name): value for name, value in own.items()}
        named.pop("", None)
        return {**custom, **named}

    def loras(self, request: ImageRequest) -> tuple[Lora, ...]:
        """The LoRAs by the settings' list; without one, what a request says of them is passed on as it came."""
        return super().loras(request) if self.settings.loras else ()
