"""What aimock is told to answer, by the prompt."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tests.third_party.relay import PICTURE

BUSY_ONCE, SLOW = "busy once", "slow"
REFUSALS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "moderated": {
            "status": 400,
            "error": {
                "message": "Your request was rejected by the safety system. safety_violations=[violence].",
                "type": "image_generation_user_error",
                "code": "moderation_blocked",
            },
        },
        "limited": {
            "status": 429,
            "retryAfter": 7,
            "error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"},
        },
        "no quota": {
            "status": 429,
            "error": {
                "message": "You exceeded your current quota, please check your plan and billing details.",
                "type": "insufficient_quota",
                "code": "insufficient_quota",
            },
        },
        "overloaded": {
            "status": 503,
            "error": {"message": "The engine is currently overloaded", "type": "server_error", "code": "overloaded"},
        },
        "no such model": {
            "status": 404,
            "error": {
                "message": "The model `gpt-image-1` does not exist",
                "type": "invalid_request_error",
                "code": "model_not_found",
            },
        },
    }
)
"""Answers that are errors."""
BILLED_UNITS = 1.5


def script(picture_url: str) -> dict[str, Any]:
    """The file of answers for aimock; fal's image is delivered from `picture_url`."""
    image = {"image": {"b64Json": base64.b64encode(PICTURE).decode()}}
    result = {
        "images": [{"url": picture_url, "width": 64, "height": 48, "content_type": "image/png"}],
        "timings": {"inference": 1.2},
        "seed": 42,
        "has_nsfw_concepts": [False],
        "prompt": "a harbour at dawn",
    }
    busy = {**REFUSALS["limited"], "retryAfter": 1}
    answers: list[dict[str, Any]] = [
        *(_answer(prompt, answer) for prompt, answer in REFUSALS.items()),
        _answer(BUSY_ONCE, busy, sequenceIndex=0),
        _answer(BUSY_ONCE, image, sequenceIndex=1),
        {**_answer(SLOW, image), "chaos": {"latencyMs": 1500}},
        {"match": {"endpoint": "image"}, "response": image},
        {"match": {"endpoint": "fal"}, "response": {"json": result, "billableUnits": BILLED_UNITS}},
    ]
    return {"fixtures": answers}


def _answer(prompt: str, answer: Mapping[str, Any], **match: int) -> dict[str, Any]:
    return {"match": {"endpoint": "image", "userMessage": prompt, **match}, "response": dict(answer)}
