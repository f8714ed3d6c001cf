"""How often, how far back and how boldly the two sides are reconciled."""

from __future__ import annotations

from pydantic import Field

from runtime.settings_values import Section


class ReconciliationSettings(Section):
    """The schedule that reconciles every Odoo that has `rpc`."""

    every_minutes: int = Field(default=15, ge=1, le=1440)
    """Minutes between two runs; never two at once. `orchestrator bootstrap` puts a change in force."""


class ReconcileSettings(Section):
    """The reconciliation of one Odoo: by its `rpc`, whose user needs the addon's group AI Images / Bot."""

    enabled: bool = True
    """Whether it is reconciled; it needs `rpc`."""
    window_hours: float = Field(default=24.0, gt=0, le=720)
    """How far back requests are compared; closed requests are kept for 30 days."""
    grace_minutes: float = Field(default=15.0, ge=0, le=1440)
    """Minutes since its last change in which a request is in flight, whatever it looks like."""
    batch: int = Field(default=200, ge=1, le=1000)
    """Requests that are read from Odoo at once."""
    repair: bool = True
    """Whether the schedule repairs what it finds; otherwise it only reports."""
    repairs: int = Field(default=100, ge=1, le=100)
    """Most repairs in one run."""
