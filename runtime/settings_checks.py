"""What must agree between the sections of the settings. One line per problem: where, what, what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from contracts.dialects import DIALECTS
from runtime.alert_settings import alert_disagreements
from runtime.record_checks import record_disagreements
from runtime.service_checks import service_disagreements
from runtime.store_settings import store_disagreements
from runtime.suggestions import suggestion

if TYPE_CHECKING:
    from runtime.settings import RouteSettings, Settings


def disagreements(settings: Settings) -> list[str]:
    """Every contradiction between the sections."""
    problems = [line for name, service in settings.services.items() for line in service_disagreements(name, service)]
    problems += [line for name, route in settings.routes.items() for line in _route(name, route, settings)]
    return [*problems, *_path_clashes(settings.routes), *store_disagreements(settings), *alert_disagreements(settings)]


def _route(name: str, route: RouteSettings, settings: Settings) -> Iterator[str]:
    where = f"routes.{name}"
    yield from _unknown(f"{where}.odoo", "Odoo", route.odoo, settings.odoos)
    yield from _services(where, route, settings)
    yield from _tokens(where, route)
    yield from _paths(where, route)
    yield from record_disagreements(where, route, settings)
    yield from _repeated(f"{where}.methods", route.methods)
    if route.callback.images == "url" and settings.store.signing_key is None:
        yield f"{where}.callback.images: url needs a store.signing_key"


def _services(where: str, route: RouteSettings, settings: Settings) -> Iterator[str]:
    for position, service in enumerate(route.services):
        yield from _unknown(f"{where}.services[{position}]", "image service", service, settings.services)
    for name, service in route.service_names.items():
        yield from _unknown(f"{where}.service_names.{name}", "image service", service, settings.services)
    yield from _repeated(f"{where}.services", route.services)
    yield from _repeated(f"{where}.service_names", [name.casefold() for name in route.service_names])


def _tokens(where: str, route: RouteSettings) -> Iterator[str]:
    if DIALECTS[route.dialect].secret_field is not None:
        return
    tokens = {"security_token": route.security_token, "callback.security_token": route.callback.security_token}
    for key, token in tokens.items():
        if token is not None:
            yield f"{where}.{key}: dialect {route.dialect} has no token in its bodies; remove it"


def _unknown(where: str, what: str, name: str, known: Collection[str]) -> Iterator[str]:
    if name not in known:
        yield f"{where}: unknown {what}; {suggestion(name, known)}"


def _repeated(where: str, names: Collection[str]) -> Iterator[str]:
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{where}: {name!r} stands there {times} times (upper and lower case are equal); keep one"


def _paths(where: str, route: RouteSettings) -> Iterator[str]:
    named = any(segment.startswith(":") for segment in route.path.split("/"))
    if named and route.webhook_id is None:
        yield f"{where}.path: with :name segments it answers only below its id; set {where}.webhook_id"


def _path_clashes(routes: dict[str, RouteSettings]) -> Iterator[str]:
    seen: dict[tuple[str, str, str | None], str] = {}
    for name, route in routes.items():
        for method in route.methods:
            first = seen.setdefault((method, route.path.strip("/"), route.webhook_id), name)
            if first != name:
                yield f"routes.{name}.path: is already the {method} path of routes.{first}; choose another"
