"""The Odoo databases: where they are, and how we call them where they have no addon."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from runtime.reconciliation_settings import ReconcileSettings
from runtime.secrets import SecretRef
from runtime.settings_values import HttpUrl, Section


class OdooRpcSettings(Section):
    """How we call this Odoo's external interface, to read records and to write outcomes to them."""

    kind: Literal["odoorpc", "json2"]
    """odoorpc: JSON-RPC by the package OdooRPC, Odoo 17 to 19. json2: the JSON-2 interface, Odoo 19 and later."""
    user: str | None = Field(default=None, min_length=1)
    """Login of the user whose key it is; json2 does not need it, the key says who."""
    secret: SecretRef
    """Reference to an API key of that user (odoorpc also takes a password)."""
    threads: int = Field(default=4, ge=1, le=100)
    """odoorpc: calls at once per worker, each in a thread with a session of its own."""

    @model_validator(mode="after")
    def _user_is_named(self) -> OdooRpcSettings:
        if self.kind == "odoorpc" and self.user is None:
            raise ValueError("user is required for kind odoorpc")
        return self


class OdooSettings(Section):
    """One Odoo database that callbacks go to."""

    database: str = Field(min_length=1, max_length=255)
    """Database name, as operators see it."""
    base_url: HttpUrl
    """Where its callbacks are sent, and where its external interface is."""
    rate_per_second: float | None = Field(default=None, gt=0, le=10_000)
    """Most callbacks a second, enforced by the Temporal server. Not set = unlimited."""
    rpc: OdooRpcSettings | None = None
    """How its external interface is called; needed by routes of dialect `odoo_action`. Not set = it is not called."""
    reconcile: ReconcileSettings = ReconcileSettings()
    """How both sides are compared and brought together."""
