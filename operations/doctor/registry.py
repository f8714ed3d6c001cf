"""Every check of an installation."""

from __future__ import annotations

from collections.abc import Collection

from operations.doctor import certificates, clock, configuration, odoo, services, store, temporal
from operations.doctor.examination import Check, examine
from operations.doctor.finding import Finding
from runtime.settings import Settings

CHECKS = (
    Check("configuration", configuration.look),
    # All that it does is bounded on its own; this bound is for what nobody thought of.
    Check("temporal", temporal.look, seconds=45.0),
    Check("services", services.look, seconds=30.0),
    Check("odoos", odoo.look, seconds=45.0),
    Check("store", store.look, seconds=45.0),
    Check("certificates", certificates.look, seconds=30.0),
    Check("clock", clock.look),
)
"""The checks, in the order in which their findings are told."""


async def examine_all(settings: Settings, only: Collection[str] = ()) -> list[Finding]:
    """The findings of the checks of these names; none named = all. Nothing is paid for, sent or left behind."""
    return await examine([check for check in CHECKS if not only or check.name in only], settings)
