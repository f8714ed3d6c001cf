"""Where traces go."""

from __future__ import annotations

from pydantic import Field

from runtime.auth_settings import Auth, NoAuth
from runtime.settings_values import HttpUrl, Section


class TracingSettings(Section):
    """OpenTelemetry traces. Off, and at no cost, while no endpoint is set."""

    endpoint: HttpUrl | None = None
    """The OTLP/HTTP collector, as http://127.0.0.1:4318; /v1/traces is added. Not set = no traces."""
    auth: Auth = NoAuth()
    """What the collector wants to see: header, bearer or basic, each with a reference to its secret. Read at start."""
    sample_ratio: float = Field(default=1.0, ge=0, le=1)
    """Share of the traces that begin here which is kept. Where Odoo sent a traceparent, its own flag decides."""
    service_name: str = Field(default="odoo-image-orchestrator", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")
    """The service in the traces; -starter or -worker is added."""
