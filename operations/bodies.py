"""Webhook bodies as Odoo would send them, per dialect: what `send` and the demo post. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import JsonValue

from contracts.dialects.base import without_none


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked for, in no dialect."""

    request_id: str
    prompt: str | None
    negative_prompt: str | None = None
    model: str | None = None
    size: str | None = None
    """As "1024x1024"."""
    seed: int | None = None
    steps: int | None = None
    cfg_scale: float | None = None
    callback_url: str | None = None
    security_token: str | None = None


def _event(ask: Ask) -> dict[str, JsonValue]:
    return {
        "requestId": ask.request_id,
        "correlationId": ask.request_id,
        "prompt": ask.prompt,
        "negativePrompt": ask.negative_prompt,
        "modelId": ask.model,
        "resolution": ask.size,
        "seed": ask.seed,
        "inferenceSteps": ask.steps,
        "cfgScale": ask.cfg_scale,
        "callbackUrl": ask.callback_url,
        "userId": "7",
    }


def _correlation(ask: Ask) -> dict[str, JsonValue]:
    return {
        "correlation_id": ask.request_id,
        "model_preference": ask.model or "Flux LoRA",
        **_snake(ask),
        "user_id": "7",
    }


def _request(ask: Ask) -> dict[str, JsonValue]:
    return {
        "request_id": ask.request_id,
        "prompt": ask.prompt,
        "ai_service_type": "STABILITY_AI",
        "model_name": ask.model or "local-image-1",
        "resolution": ask.size or "1024x1024",
        "aspect_ratio": "1:1",
        "negative_prompt": ask.negative_prompt,
        "seed": ask.seed,
        "steps": ask.steps,
        "cfg_scale": ask.cfg_scale,
        "user_id": "7",
    }


def _adapter(ask: Ask) -> dict[str, JsonValue]:
    return {
        "request_id": ask.request_id,
        "user_id": 7,
        "influencer_profile_id": 42,
        "model_id": ask.model,
        **_snake(ask),
    }


def _endpoint(ask: Ask) -> dict[str, JsonValue]:
    return {
        "ai_generation_request_id": ask.request_id,
        "params": without_none({"model_id": ask.model, **_snake(ask)}),
        "odoo_callback_url": ask.callback_url,
        "security_token": ask.security_token,
    }


def _snake(ask: Ask) -> dict[str, JsonValue]:
    return {
        "prompt": ask.prompt,
        "negative_prompt": ask.negative_prompt,
        "resolution": ask.size,
        "seed": ask.seed,
        "inference_steps": ask.steps,
        "cfg_scale": ask.cfg_scale,
    }


_BODIES: Mapping[str, Callable[[Ask], dict[str, JsonValue]]] = MappingProxyType(
    {
        "event": _event,
        "correlation": _correlation,
        "request": _request,
        "adapter": _adapter,
        "endpoint": _endpoint,
    }
)


def body_of(dialect: str, ask: Ask) -> dict[str, JsonValue]:
    """The body that asks for this in the dialect."""
    return without_none(_BODIES[dialect](ask))
