"""The webhooks: how each is called, what it answers, and the way back."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.requests import Envelope
from runtime.auth_settings import CallbackAuth, NoAuth, WebhookAuth
from runtime.record_settings import RecordSettings
from runtime.retry_settings import CallbackRetrySettings
from runtime.secrets import SecretRef, SecretRefs
from runtime.settings_values import (
    CallbackPath,
    CorsOrigin,
    DialectName,
    HeaderName,
    HeaderValue,
    HttpUrl,
    Name,
    Network,
    Origin,
    RateLimit,
    Section,
    WebhookId,
    WebhookPath,
)

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
"""The methods that a webhook may have."""


class CallbackSettings(Section):
    """Where and how a route's outcomes are posted."""

    path: CallbackPath | None = None
    """Path on the Odoo, used where the request names no callback URL; only dialect `odoo_action` needs none."""
    auth: CallbackAuth = NoAuth()
    """How we authenticate; for a shared secret use kind = "header", for a signature of the body "signature"."""
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
    """Seconds an image URL stays valid beyond the time that its delivery and one parking may take."""
    retry: CallbackRetrySettings = CallbackRetrySettings()
    """Retries of the callback."""


class ResponseSettings(Section):
    """A fixed answer to accepted requests, as n8n's response options."""

    status: int | None = Field(default=None, ge=200, le=599)
    """Status code. Not set = 200."""
    data: str | None = None
    """Body, sent as text/html whatever it is. Not set = the dialect's acknowledgement."""
    headers: dict[HeaderName, HeaderValue] = Field(default={})
    """Further headers."""
    no_body: bool = False
    """Whether the answer has no body."""


class RouteSettings(Section):
    """One webhook."""

    path: WebhookPath
    """Path below /webhook/."""
    methods: tuple[Method, ...] = Field(default=("POST",), min_length=1)
    """HTTP methods; without a body (GET, HEAD) the request is empty."""
    active: bool = True
    """Whether it answers; false = 404, as an inactive workflow in n8n."""
    webhook_id: WebhookId | None = None
    """The id that stands before a path with :name segments, as in n8n: /webhook/ID/PATH."""
    respond: Literal["at_once", "when_finished"] = "at_once"
    """When the caller is answered: as soon as the request is durable, or with its outcome."""
    respond_deadline_s: float = Field(default=60.0, gt=0, le=3600)
    """when_finished: seconds until the caller gets 202 and the acknowledgement while the request goes on."""
    response: ResponseSettings = ResponseSettings()
    """A fixed answer in place of the dialect's acknowledgement."""
    cors_origins: tuple[CorsOrigin, ...] = Field(default=("*",), min_length=1)
    """Origins whose browser pages may read the answers; others still reach the webhook."""
    allowed_ips: tuple[Network, ...] = ()
    """Addresses and networks that may call (the connection's own: X-Forwarded-For is not believed). None = all."""
    ignore_bots: bool = False
    """Whether callers whose User-Agent is a program's, as python-requests or Odoo, get 403."""
    rate_limit: RateLimit | None = None
    """Most requests per caller, as 60/minute; more get 429 with Retry-After. Not set = unlimited."""
    shadow: HttpUrl | None = None
    """URL of the old system's webhook that gets a copy of every accepted request. Not set = none."""
    dialect: DialectName
    """The body dialect."""
    odoo: Name
    """The Odoo that the outcomes go to."""
    services: tuple[Name, ...] = Field(min_length=1)
    """Image services in order of preference; the first is used unless the request asks for another."""
    failover: Literal["unless_named", "always", "never"] = "unless_named"
    """When the next of them is tried because one is overloaded, unreachable or has an open circuit: unless the request
    named its service, always, or never. Only services that can honour the request are."""
    failover_attempts: int = Field(default=2, ge=1, le=100)
    """Failures at one service until the next is tried."""
    fairness: Literal["user", "odoo"] = "user"
    """Who shares a service's capacity in equal portions: the users of an Odoo, or the Odoos."""
    priority: int = Field(default=3, ge=1, le=5)
    """1 (first) to 5, where the request does not say so itself (X-Request-Priority: interactive, normal or bulk)."""
    service_names: dict[str, Name] = Field(default={})
    """What requests call a service (COMFY_UI, FLUX; upper and lower case are equal) -> the configured service."""
    auth: WebhookAuth = NoAuth()
    """How Odoo authenticates."""
    security_token: SecretRefs | None = None
    """Reference to the token that must stand in the bodies of dialect `endpoint`. Not set = not checked."""
    callback: CallbackSettings = CallbackSettings()
    """The way back."""
    record: RecordSettings | None = None
    """Dialect `odoo_action`: what the records mean that Odoo's own webhooks name."""
    park_s: float = Field(default=30 * 86_400.0, gt=0, le=365 * 86_400)
    """Seconds a dead letter waits for a decision before it expires."""
