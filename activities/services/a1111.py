"""Stable Diffusion WebUI (A1111, Forge) and what speaks its API (sd-server): `POST /sdapi/v1/txt2img`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, repeat
from typing import ClassVar

from pydantic import JsonValue

from activities.services.answers import Answer, read_answer
from activities.services.base import InlineArtifact, RemoteArtifact
from activities.services.http_errors import Reply
from activities.services.synchronous import Asked, SynchronousService
from contracts.errors import FailureClass
from contracts.json_body import parse_json
from contracts.loras import Lora

PARAMETERS = frozenset(
    {
        "denoising_strength",
        "distilled_cfg_scale",
        "enable_hr",
        "hr_scale",
        "hr_second_pass_steps",
        "hr_upscaler",
        "restore_faces",
        "sampler_name",
        "scheduler",
        "styles",
        "tiling",
    }
)
"""What a request's custom parameters may set: how to draw, not what the server is, runs or writes."""


class A1111Service(SynchronousService):
    """A server that speaks /sdapi."""

    images: ClassVar[str] = "images"
    takes_loras: ClassVar[bool] = True

    def url(self, asked: Asked) -> str:  # noqa: ARG002 - one endpoint for all models
        """The text-to-image endpoint."""
        return f"{self.settings.base_url}/sdapi/v1/txt2img"

    def body(self, asked: Asked) -> dict[str, JsonValue]:
        """The request: one image, and the model only for it."""
        request = asked.request
        return {
            **asked.custom(PARAMETERS),
            "prompt": request.prompt + self._lora_tags(asked.loras),
            "negative_prompt": request.negative_prompt,
            "width": asked.size[0],
            "height": asked.size[1],
            "seed": request.seed,
            "steps": request.steps,
            "cfg_scale": request.cfg_scale,
            "batch_size": 1,
            "n_iter": 1,
            "lora": self._structured(asked.loras),
            "override_settings": {"sd_model_checkpoint": asked.model} if asked.model else None,
            "override_settings_restore_afterwards": True if asked.model else None,
        }

    def read(self, reply: Reply) -> Answer:
        """The images, with their seeds out of `info`, which is JSON inside a text."""
        answer = read_answer(reply, self.images)
        content = parse_json(reply.body)
        info = content.get("info") if isinstance(content, dict) else None
        seeds = _seeds(parse_json(info.encode("utf-8", "replace")) if isinstance(info, str) else info)
        artifacts = [
            _with_seed(one, seed) for one, seed in zip(answer.artifacts, chain(seeds, repeat(None)), strict=False)
        ]
        return replace(answer, artifacts=tuple(artifacts))

    def _lora_tags(self, loras: Sequence[Lora]) -> str:
        if self.settings.lora_form == "structured":
            return ""
        return "".join(f" <lora:{self._tag_name(lora)}:{lora.scale:g}>" for lora in loras)

    def _tag_name(self, lora: Lora) -> str:
        if set(lora.path) & set("<>:"):
            message = f"lora {lora.path[:80]!r} cannot stand in a prompt: it must be a file name without <, > and :"
            raise self.refused(FailureClass.INVALID_REQUEST, message)
        return lora.path

    def _structured(self, loras: Sequence[Lora]) -> list[JsonValue] | None:
        if self.settings.lora_form == "prompt":
            return None
        return [{"path": lora.path, "multiplier": lora.scale} for lora in loras] or None


def _seeds(info: JsonValue) -> list[int]:
    if not isinstance(info, dict):
        return []
    listed = info.get("all_seeds") or [info.get("seed")]
    return [one for one in listed if type(one) is int] if isinstance(listed, list) else []


def _with_seed(artifact: InlineArtifact | RemoteArtifact, seed: int | None) -> InlineArtifact | RemoteArtifact:
    if seed is None or isinstance(artifact, RemoteArtifact):
        return artifact
    return replace(artifact, seed=seed)
