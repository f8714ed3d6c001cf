"""Where images may be downloaded from: host names by an allow-list, addresses by what they belong to. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address


def host_matches(host: str, patterns: Iterable[str]) -> bool:
    """Whether a host is one of `cdn.example` (itself only) or `*.cdn.example` (any host below it, not itself)."""
    name = _plain(host)
    return any(name.endswith(_plain(p[1:])) if p.startswith("*.") else name == _plain(p) for p in patterns)


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, also where it wraps another address."""
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return all(map(_is_global, (parsed, *_wrapped(parsed))))


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def _is_global(address: IPv4Address | IPv6Address) -> bool:
    site_local = isinstance(address, IPv6Address) and address.is_site_local
    special = address.is_multicast or address.is_reserved or address.is_loopback or address.is_link_local
    return address.is_global and not (special or site_local)


def _wrapped(address: IPv4Address | IPv6Address) -> tuple[IPv4Address, ...]:
    if isinstance(address, IPv4Address):
        return ()
    teredo = address.teredo or ()
    return tuple(inner for inner in (address.sixtofour, *teredo) if inner is not None)
