"""docker-compose.yml as the tests read it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
TEXT = (CHECKOUT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = frozenset(name for name, service in SERVICES.items() if service.get("build"))
"""The services that run our own image."""
_VARIABLE = re.compile(r"\$\{(\w+)(?::-((?:[^${}]|\$\{[^}]*\})*)|:\?[^}]*)?\}")


def with_defaults(text: str) -> str:
    """The text with every variable replaced by its default, a required one by its own name, and `$$` by `$`."""
    while _VARIABLE.search(text):
        text = _VARIABLE.sub(lambda found: found[1] if found[2] is None else found[2], text)
    return text.replace("$$", "$")


def runs_once(service: dict[str, Any]) -> bool:
    """Whether the service does its work and ends."""
    return str(service["restart"]).startswith("on-failure")


def seconds(duration: str) -> float:
    """A compose duration in seconds, which ours all are."""
    return float(duration.removesuffix("s"))
