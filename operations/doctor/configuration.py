"""The configuration: what starter and worker could not run without."""

from __future__ import annotations

from operations.doctor.finding import Finding, fail, ok
from runtime.configuration import usable_problems
from runtime.settings import Settings


async def look(settings: Settings) -> list[Finding]:
    """Missing secrets, unusable keys and places."""
    problems = [problem.partition(": ") for problem in usable_problems(settings)]
    if problems:
        return [fail("configuration", where, what) for where, _, what in problems]
    counts = f"{len(settings.routes)} routes, {len(settings.services)} services, {len(settings.odoos)} Odoos"
    return [ok("configuration", f"{counts}; every secret is there")]
