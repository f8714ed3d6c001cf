"""What settings are made of: sections, and the kinds of value beside plain text and numbers.

Their errors never repeat the value.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from contracts.dialects import DIALECTS
from contracts.dialects.odoo_action import is_model_name
from runtime.suggestions import suggestion

NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"
BIND = r"^(\[[0-9A-Fa-f:.]+\]|[^\s:]+):[0-9]{1,5}$"
WEBHOOK_ID = r"^[A-Za-z0-9_-]{1,128}$"
WEBHOOK_PATH = r"^/?[^\s?#/][^\s?#]*$"
CALLBACK_PATH = r"^/[^\s?#]*$"
HEADER_NAME = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
FIELD_NAME = r"^[a-z_][a-z0-9_]{0,62}$"
BUILD_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
DEPLOYMENT = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$"
HEADER_VALUE = r"^[\t\x20-\x7e]*$"

_RATE = re.compile(r"[1-9][0-9]{0,8}/(second|minute|hour|day)")

PATTERNS = {
    NAME: "must be a name: at most 64 of a-z, 0-9, - and _, beginning with a letter or a digit",
    BIND: "must be an address and a port, as 127.0.0.1:9464",
    WEBHOOK_ID: "must be an id of letters, digits, - and _, as n8n exports it",
    WEBHOOK_PATH: "must be a path without blanks, ? and #, as influencegen/generate",
    CALLBACK_PATH: "must be a path that begins with / and has no blanks, ? and #",
    HEADER_NAME: "must be a header name, as X-Api-Key",
    FIELD_NAME: "must be the technical name of a field, as x_prompt",
    BUILD_ID: "must be at most 128 letters, digits, ., - and _, beginning with a letter or a digit",
    DEPLOYMENT: "must be a name: at most 128 letters, digits, - and _, beginning with a letter or a digit",
    HEADER_VALUE: "must be printable ASCII on one line",
}
"""What each pattern asks for, in words."""


class Section(BaseModel):
    """A part of the tree. Frozen; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


def _split(value: str) -> SplitResult:
    try:
        url = urlsplit(value)
        port_is_number = url.port is None or url.port > 0
    except ValueError:
        port_is_number = False
        url = urlsplit("")
    if not (port_is_number and url.scheme in {"http", "https"} and url.hostname) or any(map(str.isspace, value)):
        raise ValueError("must be an absolute http or https URL, as https://odoo.example")
    return url


def _http_url(value: str) -> str:
    url = _split(value)
    if "@" in url.netloc:
        raise ValueError("must not hold a user or password: set auth instead")
    if url.query or url.fragment:
        raise ValueError("must not have a query (?) or a fragment (#)")
    return value.rstrip("/")


def _origin(value: str) -> str:
    origin = _http_url(value)
    if urlsplit(origin).path:
        raise ValueError("must be an origin without a path, as https://odoo.example")
    return origin


def _cors_origin(value: str) -> str:
    return value if value == "*" else _origin(value)


def _network(value: str) -> str:
    try:
        ip_network(value, strict=False)
    except ValueError:
        raise ValueError("must be an IP address or network, as 10.0.0.1 or 10.0.0.0/8") from None
    return value


def _rate_limit(value: str) -> str:
    if not _RATE.fullmatch(value):
        raise ValueError("must be a number per second, minute, hour or day, as 60/minute")
    return value


def _model(value: str) -> str:
    if not is_model_name(value):
        raise ValueError("must be the technical name of a model, as res.partner")
    return value


def _known_dialect(value: str) -> str:
    if value not in DIALECTS:
        raise ValueError(f"unknown dialect; {suggestion(value, DIALECTS)}")
    return value


Name = Annotated[str, Field(pattern=NAME)]
"""What a route, a service or an Odoo is called."""

BindAddress = Annotated[str, Field(pattern=BIND)]
"""An address and a port to listen on."""

WebhookPath = Annotated[str, Field(pattern=WEBHOOK_PATH)]
"""A path below /webhook/."""

WebhookId = Annotated[str, Field(pattern=WEBHOOK_ID)]
"""An n8n webhook's own id."""

CallbackPath = Annotated[str, Field(pattern=CALLBACK_PATH)]
"""A path on an Odoo."""

HeaderName = Annotated[str, Field(pattern=HEADER_NAME)]
"""The name of an HTTP header."""

HeaderValue = Annotated[str, Field(pattern=HEADER_VALUE)]
"""The value of an HTTP header."""

HttpUrl = Annotated[str, AfterValidator(_http_url), Field(json_schema_extra={"format": "uri"})]
"""An absolute http or https URL, without a trailing slash, credentials, query and fragment."""

Origin = Annotated[str, AfterValidator(_origin), Field(json_schema_extra={"format": "origin"})]
"""Scheme, host and port."""

CorsOrigin = Annotated[str, AfterValidator(_cors_origin), Field(json_schema_extra={"format": "cors-origin"})]
"""An origin that browsers may call from, or * for every one."""

Network = Annotated[str, AfterValidator(_network), Field(json_schema_extra={"format": "network"})]
"""An IP address or a network in CIDR form."""

RateLimit = Annotated[str, AfterValidator(_rate_limit), Field(json_schema_extra={"format": "rate"})]
"""So many in so long."""

FieldName = Annotated[str, Field(pattern=FIELD_NAME)]
"""The technical name of a field of Odoo."""

ModelName = Annotated[str, AfterValidator(_model), Field(json_schema_extra={"format": "model"})]
"""The technical name of a model of Odoo."""

DialectName = Annotated[str, AfterValidator(_known_dialect), Field(json_schema_extra={"enum": sorted(DIALECTS)})]
"""A body dialect."""
