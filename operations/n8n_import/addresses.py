"""Where a call of n8n goes: origin and path, as far as its URL says so."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from operations.n8n_import.expressions import read_value
from operations.n8n_import.graph import Graph
from operations.n8n_import.origins import Place, origin
from operations.n8n_import.values import Joined, Reference, Value, Variable, literal_text

UNKNOWN = "https://set-me.invalid"
"""Stands where an export does not say the address; no host can ever have this name."""


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a URL that could be read."""

    origin: str | None = None
    path: str | None = None
    """Begins with a slash, or is empty."""
    variables: tuple[str, ...] = ()
    """n8n's environment variables in it."""
    body_field: str | None = None
    """The field of the request that holds the whole URL."""
    dropped: tuple[str, ...] = ()
    """Parts that were left out, in words."""

    @property
    def is_private(self) -> bool:
        """Whether it is a loopback or private address by its looks."""
        host = urlsplit(self.origin or "").hostname or ""
        try:
            return ipaddress.ip_address(host).is_private
        except ValueError:
            return host == "localhost"


def read_address(url: str, at: str, graph: Graph) -> Address:
    """What the URL of the call at that node says."""
    value = read_value(url)
    if isinstance(value, Reference):
        found = origin(value, at, graph)
        return Address(body_field=".".join(found.path) if found.place is Place.BODY and found.path else None)
    return _joined(value.parts if isinstance(value, Joined) else (value,))


def _joined(parts: tuple[Value, ...]) -> Address:
    variables = tuple(part.name for part in parts if isinstance(part, Variable))
    starts_unknown = isinstance(parts[0], Variable)
    text, complete = "", True
    for part in parts[starts_unknown:]:
        piece = literal_text(part)
        if piece is None:
            complete = "?" in text or "#" in text
            break
        text += piece
    if starts_unknown:
        path, dropped = _path(text)
        known = complete and (not path or path.startswith("/"))
        return Address(path=path if known and len(parts) > 1 else None, variables=variables, dropped=dropped)
    return _absolute(text, variables, complete=complete)


def _absolute(text: str, variables: tuple[str, ...], *, complete: bool) -> Address:
    try:
        url = urlsplit(text.strip())
        port = url.port
    except ValueError:
        return Address(variables=variables)
    if url.scheme not in {"http", "https"} or not url.hostname:
        return Address(variables=variables)
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    place = f"{url.scheme}://{host}" + (f":{port}" if port else "")
    if not complete and not url.path:
        return Address(variables=variables)
    path, dropped = _path(text.strip().partition("://")[2].partition("/")[2])
    dropped += ("the user and password in its URL",) if "@" in url.netloc else ()
    return Address(place, (f"/{path}" if path else "") if complete else None, variables, dropped=dropped)


def _path(text: str) -> tuple[str, tuple[str, ...]]:
    path = text.partition("#")[0].partition("?")[0]
    return path, ("the query of its URL",) if path != text else ()
