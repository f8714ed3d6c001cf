"""What the checks of a namespace share."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio.client import Client

from runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace that is there, and the settings that it is held against."""

    client: Client
    settings: Settings
    retention_s: float
    """Seconds for which it keeps closed requests."""
