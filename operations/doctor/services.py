"""Image services: whether each can be called, asked in ways that cost nothing."""

from __future__ import annotations

from activities.services.checks import Checked
from operations.doctor.finding import Finding, fail, ok
from operations.services import checked
from runtime.settings import Settings


async def look(settings: Settings) -> list[Finding]:
    """Every configured service."""
    return [verdict(result) for result in await checked(settings, tuple(settings.services))]


def verdict(result: Checked) -> Finding:
    """What a service's check means."""
    subject = f"service {result.service}"
    if result.remedy is None:
        return ok(subject, result.said)
    return fail(subject, result.said, result.remedy)
