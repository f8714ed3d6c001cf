"""The body dialects that Odoo deployments speak, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from contracts.dialects.adapter import AdapterDialect
from contracts.dialects.base import CallbackFacts, DeliveredImage, Dialect
from contracts.dialects.correlation import CorrelationDialect
from contracts.dialects.endpoint import EndpointDialect
from contracts.dialects.event import EventDialect
from contracts.dialects.odoo_action import OdooActionDialect
from contracts.dialects.request import RequestDialect

_ALL: tuple[Dialect, ...] = (
    EventDialect(),
    CorrelationDialect(),
    RequestDialect(),
    AdapterDialect(),
    EndpointDialect(),
    OdooActionDialect(),
)

DIALECTS: Mapping[str, Dialect] = MappingProxyType({dialect.name: dialect for dialect in _ALL})

CALLBACK_DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {name: dialect for name, dialect in DIALECTS.items() if name != OdooActionDialect.name}
)
"""Those whose outcomes are posted to Odoo; the others' are written to a record by RPC."""

__all__ = ["CALLBACK_DIALECTS", "DIALECTS", "CallbackFacts", "DeliveredImage", "Dialect"]
