"""Which callback URLs a request may name: never a way to make us post results, or our secret, to a stranger."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from runtime.settings import RouteSettings, Settings

Origin = tuple[str, str, int]
"""Scheme, host in lower case, port."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Characters that URL parsers disagree about: what we judge must be what is later connected to.
_PLAIN = re.compile(r"[!-\[\]-~]+")


def origin(url: str) -> Origin | None:
    """The origin of an absolute http or https URL without user information, else None."""
    if not _PLAIN.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not host or "@" in parts.netloc:
        return None
    return parts.scheme, host, _DEFAULT_PORTS[parts.scheme] if port is None else port


def allowed_origins(settings: Settings, route: RouteSettings) -> frozenset[Origin]:
    """The origins that callback URLs on this route may have: its Odoo's own and the configured ones."""
    urls = (settings.odoos[route.odoo].base_url, *route.callback.allowed_origins)
    return frozenset(found for url in urls if (found := origin(url)))


def origin_problem(url: str, allowed: frozenset[Origin]) -> str | None:
    """One line that says why a callback URL may not be used, or None where it may."""
    found = origin(url)
    if found is None:
        return "The callback URL is not an absolute http(s) URL without user information."
    if found in allowed:
        return None
    scheme, host, port = found
    name = f"[{host}]" if ":" in host else host
    return (
        f"The callback URL's origin {scheme}://{name}:{port} is not allowed for this webhook; "
        "an operator can add it to the route's callback.allowed_origins."
    )
