"""Documented webhook bodies of every dialect, with made-up ids, and small changes to them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TypedDict

from pydantic import JsonValue

Body = dict[str, JsonValue]


class Example(TypedDict):
    """Two valid bodies of one dialect."""

    minimal: Body
    full: Body


EXAMPLES: Mapping[str, Example] = {
    "event": {
        "minimal": {"requestId": "fake-event-1", "correlationId": "fake-correlation-1", "prompt": "a red fox"},
        "full": {
            "requestId": "fake-event-2",
            "correlationId": "fake-correlation-2",
            "callbackUrl": "https://odoo.example/ai/callback",
            "userId": "7",
            "prompt": "a red fox in the snow",
            "negativePrompt": "text, watermark",
            "modelId": "fake-model-1",
            "resolution": "1024x768",
            "aspectRatio": "4:3",
            "seed": 42,
            "inferenceSteps": 28,
            "cfgScale": 3.5,
            "campaignId": "31",
        },
    },
    "correlation": {
        "minimal": {
            "correlation_id": "00000000-0000-4000-8000-000000000001",
            "prompt": "a red fox",
            "model_preference": "Flux LoRA",
        },
        "full": {
            "correlation_id": "00000000-0000-4000-8000-000000000002",
            "prompt": "a red fox in the snow",
            "model_preference": "my-FLUX-model",
            "negative_prompt": "text, watermark",
            "resolution": "1024x768",
            "aspect_ratio": "4:3",
            "seed": 42,
            "inference_steps": 28,
            "cfg_scale": 3.5,
            "campaign_id": "31",
            "user_id": "7",
            "influencer_profile_id": "12",
        },
    },
    "request": {
        "minimal": {
            "request_id": "fake-request-1",
            "prompt": "a red fox",
            "ai_service_type": "COMFY_UI",
            "model_name": "fake-model-1",
            "resolution": "512x512",
            "aspect_ratio": "1:1",
        },
        "full": {
            "request_id": "fake-request-2",
            "prompt": "a red fox in the snow",
            "ai_service_type": "STABILITY_AI",
            "model_name": "fake-model-1",
            "model_id": "fake-model-2",
            "resolution": "1024x768",
            "aspect_ratio": "4:3",
            "negative_prompt": "text, watermark",
            "seed": 42,
            "steps": 28,
            "cfg_scale": 3.5,
            "user_id": "7",
            "campaign_id": "31",
            "sampler": "euler",
            "lora": {"name": "fake-lora", "weight": 0.8},
        },
    },
    "adapter": {
        "minimal": {
            "request_id": "fake-adapter-1",
            "prompt": "a red fox",
            "user_id": 7,
            "influencer_profile_id": 12,
        },
        "full": {
            "request_id": "fake-adapter-2",
            "prompt": "a red fox in the snow",
            "user_id": 7,
            "influencer_profile_id": 12,
            "negative_prompt": "text, watermark",
            "model_id": "fake-model-1",
            "resolution": "1024x768",
            "aspect_ratio": "4:3",
            "seed": 42,
            "inference_steps": 28,
            "cfg_scale": 3.5,
            "campaign_id": 31,
            "custom_params": {"sampler": "euler"},
        },
    },
    "endpoint": {
        "minimal": {
            "ai_generation_request_id": "fake-endpoint-1",
            "params": {"prompt": "a red fox"},
            "odoo_callback_url": "https://odoo.example/influence_gen/ai/callback/image_result",
        },
        "full": {
            "ai_generation_request_id": "fake-endpoint-2",
            "params": {
                "prompt": "a red fox in the snow",
                "negative_prompt": "text, watermark",
                "model_id": "fake-model-1",
                "resolution": "1024x768",
                "aspect_ratio": "4:3",
                "seed": 42,
                "inference_steps": 28,
                "cfg_scale": 3.5,
                "sampler": "euler",
            },
            "odoo_callback_url": "https://odoo.example/influence_gen/ai/callback/image_result",
            "security_token": "made-up-incoming-token",
        },
    },
    "odoo_action": {
        "minimal": {"_action": "Send to AI(#163)", "_id": 11, "_model": "res.partner", "prompt": "a red fox"},
        "full": {
            "_action": "Send to AI(#163)",
            "_id": 11,
            "_model": "res.partner",
            "write_date": "2026-11-23 04:01:41.554766",
            "prompt": "a red fox in the snow",
            "negative_prompt": "text, watermark",
            "model": "fake-model-1",
            "service": "STABILITY_AI",
            "resolution": "1024x768",
            "aspect_ratio": "4:3",
            "seed": 42,
            "steps": 28,
            "cfg_scale": 3.5,
            "user_id": 7,
            "campaign_id": 31,
            "profile_id": 12,
        },
    },
}


def changed(body: Body, path: str, value: JsonValue) -> Body:
    """A copy with the field at the dotted path set."""
    copied = copy.deepcopy(body)
    holder, name = _holder(copied, path)
    holder[name] = value
    return copied


def without(body: Body, path: str) -> Body:
    """A copy without the field at the dotted path."""
    copied = copy.deepcopy(body)
    holder, name = _holder(copied, path)
    holder.pop(name, None)
    return copied


def _holder(body: Body, path: str) -> tuple[Body, str]:
    *outer, name = path.split(".")
    holder = body
    for part in outer:
        inner = holder[part]
        assert isinstance(inner, dict)
        holder = inner
    return holder, name
