"""Which class speaks which kind of service."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from activities.services.base import ImageService
from activities.services.flux_lora import FluxLoraService
from activities.services.openai import OpenAIService
from activities.services.synchronous import SynchronousService
from runtime.settings import Settings

KINDS: Mapping[str, type[SynchronousService]] = MappingProxyType(
    {"openai": OpenAIService, "flux_lora": FluxLoraService}
)
"""The classes by `services.*.kind`."""


def build_services(settings: Settings) -> dict[str, ImageService]:
    """The configured services by name. They hold connections: close them with `aclose`."""
    return {name: KINDS[service.kind](name, service) for name, service in settings.services.items()}
