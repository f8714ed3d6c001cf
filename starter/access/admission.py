"""Who may call whatever their credentials: the list of addresses, and no bots where they are not wanted."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

import crawleruseragents
from starlette.requests import Request

from runtime.settings import RouteSettings
from starter.wire import n8n_answers
from starter.wire.refusals import RefusedError, Result

# Browsers comment on what they are in brackets; a bare name, with or without a version, is a program's.
_BARE_PROGRAM = re.compile(r"[\w .:%-]+(/v?\d+(\.\d+)*)?(,.*)?", re.ASCII)
_TELLTALES = re.compile(r"bot\b|crawl|spider|https?:|@[a-z]", re.IGNORECASE)
_LONGEST_WORD = 50
_AGENT_LIMIT = 2048


class Admission:
    """One webhook's rules, resolved once."""

    def __init__(self, route: RouteSettings) -> None:
        self._networks = tuple(ip_network(each, strict=False) for each in route.allowed_ips)
        self._ignore_bots = route.ignore_bots

    def check(self, request: Request) -> None:
        """Raise `RefusedError` (403) where the caller may not call."""
        if self._networks and not self._is_allowed(request.client.host if request.client else ""):
            raise RefusedError(Result.REFUSED_CALLER, n8n_answers.address_denied())
        if self._ignore_bots and is_bot(request.headers.get("user-agent", "")):
            raise RefusedError(Result.REFUSED_CALLER, n8n_answers.denied(403, n8n_answers.HEADER_WRONG))

    def _is_allowed(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return any((mapped or address) in network for network in self._networks)


@lru_cache(maxsize=1024)
def is_bot(agent: str) -> bool:
    """Whether a User-Agent is a program's; none at all is not."""
    shown = agent[:_AGENT_LIMIT].strip()
    if not shown:
        return False
    if _BARE_PROGRAM.fullmatch(shown) or _TELLTALES.search(shown):
        return True
    is_one_word = len(shown) >= _LONGEST_WORD and " " not in shown
    return is_one_word or bool(crawleruseragents.is_crawler(shown))
