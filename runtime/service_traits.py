"""What one configured service does with a request: what its kind can, as far as its settings have a place for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from contracts.adaptation import ServiceTraits
from contracts.capabilities import CAPABILITIES, Parameter
from contracts.loras import Lora
from contracts.sizing import SizeRule, parse_size
from runtime.service_settings import ServiceSettings, SizeSettings

PATCH_PARAMETERS: Mapping[str, Parameter | None] = MappingProxyType(
    {
        "prompt": None,
        "model": None,
        "negative_prompt": "negative_prompt",
        "seed": "seed",
        "steps": "steps",
        "cfg_scale": "cfg_scale",
        "width": "size",
        "height": "size",
        "aspect_ratio": "aspect_ratio",
        "lora": "lora",
        "lora_scale": "lora",
    }
)
"""What `patches` (comfyui) may name, and the parameter that each carries."""
_FIELD_PARAMETERS: Mapping[str, Parameter] = MappingProxyType(
    {
        **{name: parameter for name, parameter in PATCH_PARAMETERS.items() if parameter},
        "neg_prompt": "negative_prompt",
        "loras": "lora",
    }
)


def service_traits(name: str, settings: ServiceSettings) -> ServiceTraits:
    """The traits of a service."""
    capabilities = CAPABILITIES[settings.kind]
    return ServiceTraits(
        name=name,
        kind=settings.kind,
        honours=_honours(settings),
        on_unsupported=settings.on_unsupported,
        default_width=settings.default_width,
        default_height=settings.default_height,
        sizes=_size_rule(capabilities.sizes, settings.sizes),
        ratios=capabilities.ratios,
        seeds=capabilities.seeds,
        loras=None if _passes_loras_on(settings) else known_loras(settings),
        any_lora=settings.any_lora,
    )


def meant_model(name: str, settings: ServiceSettings) -> str | None:
    """The service's model that a request means by a name; None where the settings say nothing of it."""
    return settings.models.get(name) or settings.models.get("*")


def known_loras(settings: ServiceSettings) -> dict[str, Lora]:
    """The configured LoRAs by name."""
    return {name: Lora(lora.path, lora.scale) for name, lora in settings.loras.items()}


def _honours(settings: ServiceSettings) -> frozenset[Parameter]:
    capabilities = CAPABILITIES[settings.kind]
    if settings.kind == "comfyui":
        return frozenset(parameter for name in settings.patches if (parameter := PATCH_PARAMETERS.get(name)))
    fields = [(parameter, settings.fields.get(name)) for name, parameter in _FIELD_PARAMETERS.items()]
    named = {parameter for parameter, name in fields if name}
    nameless = {parameter for parameter, name in fields if name == ""} - named
    return (capabilities.honours - nameless) | (capabilities.optional & named)


def _passes_loras_on(settings: ServiceSettings) -> bool:
    """A Flux LoRA service without a list takes what the request says: its fields are the service's own."""
    return settings.kind == "flux_lora" and not settings.loras


def _size_rule(kind: SizeRule, own: SizeSettings) -> SizeRule:
    set_values = {name: value for name, value in own.model_dump().items() if value is not None and name != "allowed"}
    return replace(kind, allowed=tuple(map(parse_size, own.allowed)), **set_values)
