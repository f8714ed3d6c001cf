"""What must agree where a route's requests are records of an Odoo, and where they are not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from contracts.dialects import CALLBACK_DIALECTS

if TYPE_CHECKING:
    from runtime.settings import OdooSettings, RouteSettings, Settings


def record_disagreements(where: str, route: RouteSettings, settings: Settings) -> Iterator[str]:
    """Every contradiction of one route."""
    if route.dialect in CALLBACK_DIALECTS:
        yield from _of_callbacks(where, route)
        return
    if route.record is None:
        yield f"{where}.record: is required and missing: name its fields and its write_back"
    elif route.record.write_back.url and settings.store.signing_key is None:
        yield f"{where}.record.write_back.url: needs a store.signing_key"
    odoo = settings.odoos.get(route.odoo)
    if odoo is not None:
        yield from _of_odoo(f"odoos.{route.odoo}", where, odoo)


def _of_callbacks(where: str, route: RouteSettings) -> Iterator[str]:
    if route.callback.path is None:
        place = "callback.path" if "callback" in route.model_fields_set else "callback"
        yield f"{where}.{place}: is required and missing"
    if route.record is not None:
        yield f"{where}.record: only dialect odoo_action has it; remove it"


def _of_odoo(name: str, where: str, odoo: OdooSettings) -> Iterator[str]:
    if odoo.rpc is None:
        yield f"{name}.rpc: is required and missing: {where} reads and writes records"
    elif odoo.rpc.kind == "odoorpc" and urlsplit(odoo.base_url).path:
        yield f"{name}.base_url: must have no path for rpc.kind odoorpc; use json2 or another host name"
