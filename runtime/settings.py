"""The settings tree: defaults < `orchestrator.toml` < environment (`ORCHESTRATOR__ROUTES__EVENT__PATH`).

Every setting is declared here with its default, range and a sentence; the reference page is generated from it.
The Temporal connection is not here: it is `temporalio.envconfig`'s (TEMPORAL_ADDRESS, temporal.toml).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from contracts.policies import StepPolicy
from contracts.requests import Envelope
from runtime.secrets import SecretRef
from runtime.settings_checks import disagreements
from runtime.settings_values import (
    BindAddress,
    CallbackPath,
    DialectName,
    HeaderName,
    HttpUrl,
    Name,
    Origin,
    WebhookPath,
)


class Section(BaseModel):
    """A part of the tree. Frozen; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class RetrySettings(Section):
    """How often and how long a step is tried."""

    attempts: int = Field(default=6, ge=0, le=10_000)
    """Failures until the step is given up; 0 = only the deadline counts."""
    initial_s: float = Field(default=5.0, gt=0, le=3600)
    """Seconds before the first retry."""
    factor: float = Field(default=2.0, ge=1, le=10)
    """What each further failure multiplies the delay by."""
    maximum_s: float = Field(default=300.0, gt=0, le=86_400)
    """Longest delay in seconds."""
    deadline_s: float = Field(default=3600.0, gt=0, le=30 * 86_400)
    """Seconds for all attempts and waits together."""
    timeout_s: float = Field(default=180.0, gt=0, le=3600)
    """Seconds for one attempt."""
    heartbeat_s: float = Field(default=30.0, ge=1, le=600)
    """Seconds of silence after which an attempt counts as dead; longer than a restart of the Temporal server takes."""

    def policy(self) -> StepPolicy:
        """The snapshot that a request carries with it."""
        return StepPolicy.model_validate(self.model_dump())


class CallbackRetrySettings(RetrySettings):
    """How often and how long a callback is tried: 72 hours by default."""

    attempts: int = Field(default=0, ge=0, le=10_000)
    """Failures until the callback is given up; 0 = only the deadline counts."""
    initial_s: float = Field(default=2.0, gt=0, le=3600)
    """Seconds before the first retry."""
    maximum_s: float = Field(default=600.0, gt=0, le=86_400)
    """Longest delay in seconds."""
    deadline_s: float = Field(default=72 * 3600.0, gt=0, le=30 * 86_400)
    """Seconds for all attempts and waits together; then the request waits as a dead letter."""
    timeout_s: float = Field(default=30.0, gt=0, le=600)
    """Seconds for one attempt."""


class NoAuth(Section):
    """No authentication."""

    kind: Literal["none"] = "none"
    """No authentication."""


class BasicAuth(Section):
    """HTTP Basic."""

    kind: Literal["basic"]
    """HTTP Basic."""
    user: str = Field(min_length=1)
    """User name."""
    password: SecretRef
    """Reference to the password."""


class HeaderAuth(Section):
    """A named header with a secret value."""

    kind: Literal["header"]
    """A named header with a secret value."""
    name: HeaderName
    """Header name."""
    secret: SecretRef
    """Reference to the value."""


class BearerAuth(Section):
    """`Authorization: Bearer` with a secret token."""

    kind: Literal["bearer"]
    """`Authorization: Bearer` with a secret token."""
    secret: SecretRef
    """Reference to the token."""


Auth = Annotated[NoAuth | BasicAuth | HeaderAuth | BearerAuth, Field(discriminator="kind")]


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


class ApiSettings(Section):
    """The operator's and Odoo's HTTP interface `/api/requests/{id}`."""

    auth: Auth | None = None
    """Who may read, redrive and cancel. Not set = the interface is off (404)."""


class WorkerSettings(Section):
    """The worker."""

    image_slots: int = Field(default=50, ge=1, le=10_000)
    """Image calls at once, per service and worker."""
    callback_slots: int = Field(default=50, ge=1, le=10_000)
    """Callbacks at once, per Odoo and worker."""
    workflow_cache: int = Field(default=2000, ge=10, le=100_000)
    """Workflows kept in memory."""
    shutdown_grace_s: float = Field(default=200.0, ge=0, le=7200)
    """Seconds that calls in flight get to finish on SIGTERM; longer than any service's timeout_s."""
    metrics_bind: BindAddress | None = None
    """Address for the worker's Prometheus metrics, such as 127.0.0.1:9464. Not set = none."""


class StoreSettings(Section):
    """Where images are kept."""

    kind: Literal["local"] = "local"
    """The back end."""
    path: Path = Path("var/images")
    """The directory of the local back end, shared by all starters and workers."""
    signing_key: SecretRef | None = None
    """Reference to the key that signs image URLs (at least 16 characters); needed as soon as images travel as URLs."""


class LoggingSettings(Section):
    """Logs."""

    format: Literal["auto", "json", "console"] = "auto"
    """json, console (for people), or auto: console on a terminal."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is written."""


class OdooSettings(Section):
    """One Odoo database that callbacks go to."""

    database: str = Field(min_length=1, max_length=255)
    """Database name, as operators see it."""
    base_url: HttpUrl
    """Where its callbacks are sent."""
    rate_per_second: float | None = Field(default=None, gt=0, le=10_000)
    """Most callbacks a second, enforced by the Temporal server. Not set = unlimited."""


class CallbackSettings(Section):
    """Where and how a route's outcomes are posted."""

    path: CallbackPath
    """Path on the Odoo, used where the request names no callback URL."""
    auth: Auth = NoAuth()
    """How we authenticate; for a shared secret use kind = "header"."""
    envelope: Envelope | None = None
    """plain or jsonrpc. Not set = what the dialect says."""
    security_token: SecretRef | None = None
    """Reference to the token that dialect `endpoint` sends in the body."""
    allowed_origins: tuple[Origin, ...] = ()
    """Origins that a callback URL in a request may have, beside the Odoo's own."""
    images: Literal["inline", "url"] = "inline"
    """How images travel: base64 inside the callback, or a signed URL."""
    inline_limit: int = Field(default=8 * 2**20, ge=0, le=64 * 2**20)
    """Bytes of all images together above which they travel as URLs all the same (needs store.signing_key)."""
    url_ttl_s: int = Field(default=7 * 86_400, ge=60, le=90 * 86_400)
    """Seconds an image URL stays valid."""
    retry: CallbackRetrySettings = CallbackRetrySettings()
    """Retries of the callback."""


class RouteSettings(Section):
    """One webhook."""

    path: WebhookPath
    """Path below /webhook/."""
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    """HTTP method."""
    dialect: DialectName
    """The body dialect."""
    odoo: Name
    """The Odoo that the outcomes go to."""
    services: tuple[Name, ...] = Field(min_length=1)
    """Image services in order of preference; the first is used unless the request asks for another."""
    service_names: dict[str, Name] = {}
    """What requests call a service (COMFY_UI, FLUX; upper and lower case are equal) -> the configured service."""
    auth: Auth = NoAuth()
    """How Odoo authenticates."""
    security_token: SecretRef | None = None
    """Reference to the token that must stand in the bodies of dialect `endpoint`. Not set = not checked."""
    callback: CallbackSettings
    """The way back."""
    park_s: float = Field(default=30 * 86_400.0, gt=0, le=365 * 86_400)
    """Seconds a dead letter waits for a decision before it expires."""


class ServiceSettings(Section):
    """One image-service account."""

    kind: Literal["openai", "flux_lora"]
    """The protocol."""
    base_url: HttpUrl
    """Where the service is."""
    auth: Auth = NoAuth()
    """How we authenticate."""
    model: str | None = None
    """Model to ask for where the request names none (openai: always needed by most services)."""
    paid: bool = True
    """Whether a call costs money: decides what happens when its outcome is unknown."""
    on_outcome_unknown: Literal["fail", "retry_once", "always"] | None = None
    """When a call's outcome is unknown: fail (dead letter), retry_once, always. Not set: fail if paid, else always."""
    fields: dict[str, str] = {}
    """flux_lora: other names of the request's fields, as text_prompt = "prompt"; an empty name leaves the field out."""
    default_width: int = Field(default=1024, ge=16, le=8192)
    """Pixels, where the request names no size."""
    default_height: int = Field(default=1024, ge=16, le=8192)
    """Pixels, where the request names no size."""
    artifact_hosts: tuple[str, ...] = ()
    """Hosts images may be downloaded from beside the service's own, as cdn.example or *.cdn.example."""
    allow_private_hosts: bool = False
    """Whether downloads may go to private or loopback addresses (services on the own network)."""
    image_limit: int = Field(default=32 * 2**20, ge=1024, le=256 * 2**20)
    """Largest image in bytes."""
    rate_per_second: float | None = Field(default=None, gt=0, le=10_000)
    """Most calls a second over all workers, enforced by the Temporal server. Not set = unlimited."""
    retry: RetrySettings = RetrySettings()
    """Retries of the image call."""

    @property
    def unknown_policy(self) -> Literal["fail", "retry_once", "always"]:
        """What to do after a call whose outcome is unknown."""
        return self.on_outcome_unknown or ("fail" if self.paid else "always")


class Settings(Section):
    """Everything that can be set."""

    starter: StarterSettings = StarterSettings()
    api: ApiSettings = ApiSettings()
    worker: WorkerSettings = WorkerSettings()
    store: StoreSettings = StoreSettings()
    logging: LoggingSettings = LoggingSettings()
    odoos: dict[Name, OdooSettings] = {}
    """The Odoo databases, by name."""
    services: dict[Name, ServiceSettings] = {}
    """The image-service accounts, by name."""
    routes: dict[Name, RouteSettings] = {}
    """The webhooks, by name. The name is part of every workflow id: never rename a live one."""

    @model_validator(mode="after")
    def _sections_agree(self) -> Settings:
        problems = disagreements(self)
        if problems:
            raise ValueError("\n".join(problems))
        return self
