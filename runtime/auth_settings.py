"""Who may call us, and what we call others with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from runtime.secrets import SecretRef, SecretRefs
from runtime.settings_values import HeaderName, Section

JwtAlgorithm = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"
]
"""How a token is signed. There is no `none`."""


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
    password: SecretRefs
    """Reference to the password."""


class HeaderAuth(Section):
    """A named header with a secret value."""

    kind: Literal["header"]
    """A named header with a secret value."""
    name: HeaderName
    """Header name."""
    secret: SecretRefs
    """Reference to the value."""


class BearerAuth(Section):
    """`Authorization: Bearer` with a secret token."""

    kind: Literal["bearer"]
    """`Authorization: Bearer` with a secret token."""
    secret: SecretRefs
    """Reference to the token."""


class JwtAuth(Section):
    """`Authorization: Bearer` with a signed JSON Web Token."""

    kind: Literal["jwt"]
    """`Authorization: Bearer` with a signed JSON Web Token."""
    algorithms: tuple[JwtAlgorithm, ...] = Field(default=("HS256",), min_length=1)
    """How tokens may be signed: HS... with `secret`, the others with `public_key`."""
    secret: SecretRefs | None = None
    """Reference to the secret of the HS algorithms."""
    public_key: SecretRefs | None = None
    """Reference to the public key (PEM) of the RS, PS and ES algorithms."""
    audience: str | None = None
    """What the token's `aud` must name. Not set = not checked."""
    issuer: str | None = None
    """What the token's `iss` must be. Not set = not checked."""
    leeway_s: float = Field(default=0.0, ge=0, le=600)
    """Seconds that clocks may differ, for `exp` and `nbf`."""

    @model_validator(mode="after")
    def _keys_fit(self) -> JwtAuth:
        symmetric = {algorithm.startswith("HS") for algorithm in self.algorithms}
        if len(symmetric) > 1:
            raise ValueError("algorithms: name either HS algorithms or the others, never both")
        wanted, other = ("secret", "public_key") if True in symmetric else ("public_key", "secret")
        if getattr(self, wanted) is None:
            raise ValueError(f"{wanted} is required for {self.algorithms[0]}")
        if getattr(self, other) is not None:
            raise ValueError(f"{other} has no use with {self.algorithms[0]}; remove it")
        return self


class SignatureAuth(Section):
    """A signature of the body as Standard Webhooks describes it (`webhook-id`, `-timestamp`, `-signature`)."""

    kind: Literal["signature"]
    """A signature of the body as Standard Webhooks describes it (`webhook-id`, `-timestamp`, `-signature`)."""
    secret: SecretRefs
    """Reference to the signing secret, whsec_... or plain base64."""
    tolerance_s: int = Field(default=300, ge=1, le=300)
    """Seconds that a signature's timestamp may be off; within them no id is taken with another body."""


class UrlTokenAuth(Section):
    """A secret token in the URL, for callers that can set no header: the path's last segment, or `?token=`."""

    kind: Literal["url_token"]
    """A secret token in the URL, for callers that can set no header: the path's last segment, or `?token=`."""
    secret: SecretRefs
    """Reference to the token: URL-safe text, at least 16 characters."""


class OutboundBasicAuth(BasicAuth):
    """HTTP Basic."""

    password: SecretRef
    """Reference to the password."""


class OutboundHeaderAuth(HeaderAuth):
    """A named header with a secret value."""

    secret: SecretRef
    """Reference to the value."""


class OutboundBearerAuth(BearerAuth):
    """`Authorization: Bearer` with a secret token."""

    secret: SecretRef
    """Reference to the token."""


class OutboundSignatureAuth(Section):
    """A signature of the body as Standard Webhooks describes it; `webhook-id` is the `Idempotency-Key`."""

    kind: Literal["signature"]
    """A signature of the body as Standard Webhooks describes it; `webhook-id` is the `Idempotency-Key`."""
    secret: SecretRef
    """Reference to the signing secret, whsec_... or plain base64."""


Auth = Annotated[NoAuth | OutboundBasicAuth | OutboundHeaderAuth | OutboundBearerAuth, Field(discriminator="kind")]
"""What we authenticate with where we are the caller."""

CallbackAuth = Annotated[
    NoAuth | OutboundBasicAuth | OutboundHeaderAuth | OutboundBearerAuth | OutboundSignatureAuth,
    Field(discriminator="kind"),
]
"""What we authenticate callbacks with."""

CallerAuth = Annotated[NoAuth | BasicAuth | HeaderAuth | BearerAuth | JwtAuth, Field(discriminator="kind")]
"""How our callers authenticate."""

WebhookAuth = Annotated[
    NoAuth | BasicAuth | HeaderAuth | BearerAuth | JwtAuth | SignatureAuth | UrlTokenAuth, Field(discriminator="kind")
]
"""How a webhook's callers authenticate."""
