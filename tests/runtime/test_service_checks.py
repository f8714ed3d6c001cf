"""What must agree inside the settings of one image service."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from runtime.service_checks import service_disagreements
from runtime.service_settings import ServiceSettings

COMFY: dict[str, Any] = {"kind": "comfyui", "workflow_file": "w.json", "patches": {"prompt": "6.inputs.text"}}
LORAS = {"brand": {"path": "b"}}


def problems(**fields: Any) -> list[str]:
    return service_disagreements("one", ServiceSettings.model_validate({"base_url": "http://127.0.0.1:9", **fields}))


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "openai", "sizes": {"allowed": ["1024x1024"]}},
        {"kind": "openai", "sizes": {"step": 16, "longest": 3840, "most_pixels": 8_294_400, "widest": 3.0}},
        {"kind": "flux_lora", "fields": {"text_prompt": "prompt"}, "loras": LORAS},
        {"kind": "replicate", "fields": {"lora": "lora_weights"}},
        {"kind": "replicate", "webhook": True, "webhook_secret": "env:X"},
        {"kind": "fal", "webhook": True},
        {"kind": "a1111", "lora_form": "structured", "any_lora": True},
        COMFY,
        {**COMFY, "loras": LORAS, "patches": {**COMFY["patches"], "lora": "10.inputs.lora_name"}},
        {"kind": "together", "loras": LORAS},
        {"kind": "gemini"},
        {"kind": "stability"},
    ],
)
def test_what_agrees(fields: dict[str, Any]) -> None:
    assert problems(**fields) == []


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        (
            {"kind": "openai", "fields": {"a": "b"}},
            "fields: only kinds flux_lora, fal, replicate, bfl have it; remove it",
        ),
        ({"kind": "openai", "workflow_file": "w"}, "workflow_file: only kind comfyui has it; remove it"),
        ({"kind": "openai", "patches": {"a": "b"}}, "patches: only kind comfyui has it; remove it"),
        ({"kind": "openai", "webhook": True}, "webhook: only kinds fal, replicate, bfl have it; remove it"),
        ({"kind": "fal", "webhook_secret": "env:X"}, "webhook_secret: only kinds replicate, bfl have it; remove it"),
        ({"kind": "fal", "lora_form": "structured"}, "lora_form: only kind a1111 has it; remove it"),
        ({"kind": "openai", "loras": LORAS}, "loras: kind openai has no LoRAs; remove it"),
        ({"kind": "gemini", "any_lora": True}, "any_lora: kind gemini has no LoRAs; remove it"),
        (
            {**COMFY, "loras": LORAS},
            'loras: patches must say where the LoRA stands in the workflow, as lora = "10.inputs.lora_name"',
        ),
        (
            {**COMFY, "workflow_file": None},
            "workflow_file: is required for kind comfyui: name the workflow that was exported in API format",
        ),
        (
            {**COMFY, "patches": {"seed": "3.inputs.seed"}},
            'patches: must say where the prompt stands in the workflow, as prompt = "6.inputs.text"',
        ),
        (
            {"kind": "bfl", "webhook": True},
            "webhook_secret: is required for webhooks of kind bfl, which are signed with it",
        ),
        (
            {"kind": "openai", "sizes": {"allowed": ["1x1"], "step": 16}},
            "sizes.allowed: holds alone; remove the other rules",
        ),
        (
            {"kind": "openai", "sizes": {"shortest": 2000, "longest": 1000}},
            "sizes: the rules leave no size near default_width and default_height; correct them",
        ),
    ],
)
def test_what_does_not_agree(fields: dict[str, Any], line: str) -> None:
    assert problems(**fields) == [f"services.one.{line}"]


@pytest.mark.parametrize("text", ["1024", "1024X1024", "0x5", "1024x1024x3", "100000x1", ""])
def test_a_size_that_is_none(text: str) -> None:
    with pytest.raises(ValidationError, match="must be a size as 1024x1024"):
        problems(kind="openai", sizes={"allowed": [text]})
