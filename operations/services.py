"""The image services as operators see them: what is configured, what each honours, whether it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pydantic import JsonValue

from activities.services.checks import Checked, check
from contracts.adaptation import ServiceTraits
from contracts.capabilities import CAPABILITIES, PARAMETERS, Parameter
from contracts.sizing import ANY_SIZE, SizeRule
from runtime.service_settings import ServiceSettings
from runtime.service_traits import service_traits
from runtime.settings import Settings


def listed(settings: Settings) -> list[dict[str, JsonValue]]:
    """One object for each configured service, without secrets."""
    return [_listed(name, service, settings) for name, service in settings.services.items()]


def capabilities(settings: Settings) -> list[dict[str, JsonValue]]:
    """For each configured service what it does with every parameter, and what its jobs can."""
    return [_capabilities(name, service) for name, service in settings.services.items()]


def unknown(settings: Settings, names: Sequence[str]) -> list[str]:
    """One line for each name that is no configured service."""
    known = ", ".join(sorted(settings.services)) or "none"
    return [f"unknown image service {name!r}; configured: {known}" for name in names if name not in settings.services]


async def checked(settings: Settings, names: Sequence[str]) -> list[Checked]:
    """Check the services of these names, all at once."""
    return await asyncio.gather(*(check(name, settings.services[name]) for name in names))


def _listed(name: str, service: ServiceSettings, settings: Settings) -> dict[str, JsonValue]:
    return {
        "service": name,
        "kind": service.kind,
        "base_url": service.base_url,
        "model": service.model,
        "auth": service.auth.kind,
        "paid": service.paid,
        "on_outcome_unknown": service.unknown_policy,
        "on_unsupported": service.on_unsupported,
        "rate_per_second": service.rate_per_second,
        "concurrency": service.concurrency,
        "loras": [*sorted(service.loras)],
        "routes": [route for route, one in settings.routes.items() if name in one.services],
    }


def _capabilities(name: str, service: ServiceSettings) -> dict[str, JsonValue]:
    traits, kind = service_traits(name, service), CAPABILITIES[service.kind]
    words: dict[str, JsonValue] = {parameter: _word(parameter, traits) for parameter in PARAMETERS}
    return {
        "service": name,
        "kind": service.kind,
        **words,
        "sizes": sizes_text(traits.sizes) if "size" in traits.honours else ", ".join(traits.ratios) or None,
        "jobs": kind.jobs,
        "cancels": kind.cancels,
        "finds": kind.finds,
        "webhooks": kind.webhooks,
    }


def _word(parameter: Parameter, traits: ServiceTraits) -> str:
    """What becomes of a parameter, in at most three words."""
    if parameter in traits.honours:
        return "yes"
    if parameter == "aspect_ratio" and "size" in traits.honours:
        return "as a size"
    if traits.on_unsupported == "error":
        return "refused"
    if parameter == "size" and "aspect_ratio" in traits.honours:
        return "as a ratio"
    return "in the prompt" if parameter == "negative_prompt" and traits.on_unsupported == "emulate" else "left out"


def sizes_text(rule: SizeRule) -> str:
    """The sizes of a service in a few words."""
    if rule.allowed:
        return ", ".join(f"{width}x{height}" for width, height in rule.allowed)
    parts = (
        f"multiples of {rule.step}" if rule.step > 1 else None,
        f"sides from {rule.shortest}" if rule.shortest > 1 else None,
        f"to {rule.longest}" if rule.longest < ANY_SIZE.longest else None,
        f"{rule.most_pixels} pixels at most" if rule.most_pixels < ANY_SIZE.most_pixels else None,
        f"{rule.widest:g}:1 at most" if rule.widest else None,
    )
    return ", ".join(part for part in parts if part) or "any"
