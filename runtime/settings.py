"""The settings tree: defaults < `orchestrator.toml` < environment (`ORCHESTRATOR__ROUTES__EVENT__PATH`).

Every setting is declared here with its default, range and a sentence; the reference page is generated from it.
The Temporal connection is not here: it is `temporalio.envconfig`'s (TEMPORAL_ADDRESS, temporal.toml).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from runtime.alert_settings import AlertSettings
from runtime.auth_settings import (
    Auth,
    BasicAuth,
    BearerAuth,
    CallbackAuth,
    CallerAuth,
    HeaderAuth,
    JwtAuth,
    NoAuth,
    OutboundSignatureAuth,
    SignatureAuth,
    UrlTokenAuth,
    WebhookAuth,
)
from runtime.encryption_settings import CodecServerSettings, EncryptionSettings
from runtime.odoo_settings import OdooRpcSettings, OdooSettings
from runtime.reconciliation_settings import ReconcileSettings, ReconciliationSettings
from runtime.record_settings import RecordSettings, WriteBack
from runtime.retry_settings import CallbackRetrySettings, RetrySettings
from runtime.route_settings import CallbackSettings, ResponseSettings, RouteSettings
from runtime.service_settings import ServiceSettings
from runtime.settings_checks import disagreements
from runtime.settings_values import BUILD_ID, DEPLOYMENT, BindAddress, HttpUrl, Name, Section
from runtime.store_settings import StoreSettings
from runtime.tracing_settings import TracingSettings

__all__ = [
    "AlertSettings",
    "ApiSettings",
    "Auth",
    "BasicAuth",
    "BearerAuth",
    "CallbackAuth",
    "CallbackRetrySettings",
    "CallbackSettings",
    "CallerAuth",
    "CodecServerSettings",
    "EncryptionSettings",
    "HeaderAuth",
    "JwtAuth",
    "LoggingSettings",
    "NoAuth",
    "OdooRpcSettings",
    "OdooSettings",
    "OutboundSignatureAuth",
    "ReconcileSettings",
    "ReconciliationSettings",
    "RecordSettings",
    "ResponseSettings",
    "RetrySettings",
    "RouteSettings",
    "Section",
    "ServiceSettings",
    "Settings",
    "SignatureAuth",
    "StarterSettings",
    "StoreSettings",
    "TracingSettings",
    "UrlTokenAuth",
    "WebhookAuth",
    "WorkerSettings",
    "WriteBack",
]


class StarterSettings(Section):
    """The webhook front."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=5678, ge=0, le=65_535)
    """Port to listen on (n8n's by default); 0 = a free one."""
    public_base_url: HttpUrl = "http://127.0.0.1:5678"
    """Where Odoo reaches the starter; image URLs begin with it. The same for starters and workers."""
    body_limit: int = Field(default=16 * 2**20, ge=1024, le=256 * 2**20)
    """Largest webhook body in bytes."""
    start_deadline_s: float = Field(default=2.5, gt=0, le=30)
    """Seconds Temporal has to take a request before Odoo gets 503 with Retry-After."""
    retry_after_s: int = Field(default=5, ge=1, le=3600)
    """Seconds in the Retry-After of that 503."""
    header_deadline_s: float = Field(default=20.0, gt=0, le=600)
    """Seconds in which the head of a request must have arrived; a caller that is slower gets 408."""
    body_deadline_s: float = Field(default=60.0, gt=0, le=3600)
    """Seconds in which the body must have arrived, and in which a caller must take some of its answer."""
    drain_s: float = Field(default=0.0, ge=0, le=600)
    """Seconds in which readiness fails after SIGTERM while requests are still taken: a load balancer notices."""
    connection_limit: int = Field(default=500, ge=1, le=100_000)
    """Connections at once; more get 503 with Retry-After. Keep it below the limit of open files (ulimit -n)."""


class ApiSettings(Section):
    """The operator's and Odoo's HTTP interface `/api/requests/{id}`."""

    auth: CallerAuth | None = None
    """Who may read, redrive and cancel. Not set = the interface is off (404)."""


class WorkerSettings(Section):
    """The worker."""

    image_slots: int = Field(default=50, ge=1, le=10_000)
    """Image calls at once, per service and worker."""
    callback_slots: int = Field(default=50, ge=1, le=10_000)
    """Callbacks at once, per Odoo and worker."""
    workflow_cache: int = Field(default=2000, ge=10, le=100_000)
    """Workflows kept in memory."""
    workflow_tasks: int = Field(default=16, ge=2, le=1000)
    """Workflow tasks at once. One process does one after the other: with many begun, each takes longer than Temporal's
    10 s and is done again, and a burst, such as a large batch of redrives, stands still."""
    shutdown_grace_s: float = Field(default=200.0, ge=0, le=7200)
    """Seconds that calls in flight get to finish on SIGTERM; longer than any service's timeout_s."""
    metrics_bind: BindAddress | None = None
    """Address for the worker's Prometheus metrics, such as 127.0.0.1:9464. Not set = none."""
    metrics_interval_s: float = Field(default=30.0, ge=1, le=3600)
    """Seconds between looks at Temporal for what these metrics observe: dead letters, queues, circuits, slots."""
    health_bind: BindAddress | None = None
    """Address for the worker's /healthz and /healthz/readiness, such as 127.0.0.1:9465. Not set = none."""
    deployment_name: str | None = Field(default=None, pattern=DEPLOYMENT)
    """Name of the Worker Deployment whose versions the workflows' workers are; goes with `build_id`. Not set = none."""
    build_id: str | None = Field(default=None, pattern=BUILD_ID)
    """Which version of the code this worker is, such as a release or a commit."""

    @model_validator(mode="after")
    def _version_is_whole(self) -> WorkerSettings:
        if (self.deployment_name is None) != (self.build_id is None):
            raise ValueError("deployment_name and build_id go together: set both, or neither")
        return self


class LoggingSettings(Section):
    """Logs."""

    format: Literal["auto", "json", "console"] = "auto"
    """json, console (for people), or auto: console on a terminal."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is written."""


class Settings(Section):
    """Everything that can be set."""

    starter: StarterSettings = StarterSettings()
    api: ApiSettings = ApiSettings()
    worker: WorkerSettings = WorkerSettings()
    store: StoreSettings = StoreSettings()
    logging: LoggingSettings = LoggingSettings()
    reconciliation: ReconciliationSettings = ReconciliationSettings()
    tracing: TracingSettings = TracingSettings()
    alerts: AlertSettings = AlertSettings()
    encryption: EncryptionSettings = EncryptionSettings()
    codec_server: CodecServerSettings = CodecServerSettings()
    odoos: dict[Name, OdooSettings] = Field(default={})
    """The Odoo databases, by name."""
    services: dict[Name, ServiceSettings] = Field(default={})
    """The image-service accounts, by name."""
    routes: dict[Name, RouteSettings] = Field(default={})
    """The webhooks, by name. The name is part of every workflow id: never rename a live one."""

    @model_validator(mode="after")
    def _sections_agree(self) -> Settings:
        problems = disagreements(self)
        if problems:
            raise ValueError("\n".join(problems))
        return self
