"""Which class speaks which kind of service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from activities.services.a1111 import A1111Service
from activities.services.base import ImageService
from activities.services.bfl import BflService
from activities.services.comfyui import ComfyUIService
from activities.services.fal import FalService
from activities.services.flux_lora import FluxLoraService
from activities.services.gemini import GeminiService
from activities.services.openai import OpenAIService
from activities.services.replicate import ReplicateService
from activities.services.stability import StabilityService
from activities.services.together import TogetherService
from contracts.capabilities import Kind
from runtime.settings import ServiceSettings, Settings

KINDS: Mapping[Kind, Callable[[str, ServiceSettings], ImageService]] = MappingProxyType(
    {
        "openai": OpenAIService,
        "flux_lora": FluxLoraService,
        "fal": FalService,
        "replicate": ReplicateService,
        "bfl": BflService,
        "together": TogetherService,
        "stability": StabilityService,
        "gemini": GeminiService,
        "comfyui": ComfyUIService,
        "a1111": A1111Service,
    }
)
"""What makes an account from its name and settings, by `services.*.kind`."""


def build_services(settings: Settings) -> dict[str, ImageService]:
    """The configured services by name. They hold connections: close them with `aclose`."""
    return {name: KINDS[service.kind](name, service) for name, service in settings.services.items()}
