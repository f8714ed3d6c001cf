"""Whose capacity a request uses, and which services may stand in for its own. Pure."""

from __future__ import annotations

from contracts.adaptation import can_honour
from contracts.loras import base_model
from contracts.requests import ImageRequest
from runtime.service_settings import ServiceSettings
from runtime.service_traits import known_loras, meant_model, service_traits
from runtime.settings import RouteSettings, Settings

PRIORITY_HEADER = "X-Request-Priority"
PRIORITIES = {"interactive": 1, "normal": 3, "bulk": 5}
"""What that header may say, beside the numbers."""


def stand_ins(settings: Settings, route: RouteSettings, service: str, request: ImageRequest | None) -> tuple[str, ...]:
    """The services that are tried in turn once `service` cannot serve: those of the route that can honour the request.

    What follows it in the route's order comes first, then what stands before it.
    """
    if request is None or route.failover == "never":
        return ()
    if route.failover == "unless_named" and request.service_hint:
        return ()
    first = settings.services[service]
    others = {name: settings.services[name] for name in _after(route.services, service) if name != service}
    return tuple(
        name
        for name, other in others.items()
        if _knows_model(request, first, other) and can_honour(request, service_traits(name, other))
    )


def _knows_model(request: ImageRequest, first: ServiceSettings, other: ServiceSettings) -> bool:
    """Whether the model that a request names for `first` says anything to another service."""
    named = base_model(request, known_loras(other))
    alike = other.kind == first.kind and named not in known_loras(first)
    return named is None or alike or named == other.model or bool(meant_model(named, other))


def leased(settings: Settings) -> tuple[str, ...]:
    """The services whose slots are leased."""
    return tuple(sorted(name for name, service in settings.services.items() if service.concurrency is not None))


def tenant(route: RouteSettings, request: ImageRequest | None) -> str:
    """The fairness key: Temporal takes 64 bytes of it."""
    user = request.user_id if request and route.fairness == "user" else None
    return f"{route.odoo}/{user}".encode()[:64].decode(errors="ignore") if user else route.odoo


def priority(route: RouteSettings, said: str | None) -> int:
    """1 (first) to 5; what a request says and nobody knows is no reason to refuse it."""
    word = (said or "").strip().casefold()
    number = int(word) if word in {"1", "2", "3", "4", "5"} else PRIORITIES.get(word)
    return number or route.priority


def _after(services: tuple[str, ...], service: str) -> tuple[str, ...]:
    position = services.index(service) if service in services else -1
    return (*services[position + 1 :], *services[: max(position, 0)])
