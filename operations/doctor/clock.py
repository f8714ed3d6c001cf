"""This host's clock, held against what the hosts that are called say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import httpx

from activities.services.transport import new_client
from operations.doctor.finding import Finding, fail, ok, warn
from operations.doctor.hosts import Host, date_of, hosts_of
from runtime.settings import Settings

NOTICED_S = 5.0
"""Seconds of difference from which on somebody should know."""
HARMFUL_S = 60.0
"""Seconds from which on signatures, tokens and URLs that expire may be refused; most allow five minutes at most."""
_REMEDY = "set the clock by NTP on this host (timedatectl set-ntp true), or on the other"


async def look(settings: Settings) -> list[Finding]:
    """The difference to each host that names its time."""
    client, hosts = new_client(keepalive=False), hosts_of(settings)
    try:
        ahead = await asyncio.gather(*(_ahead_s(host, client) for host in hosts))
    finally:
        await client.aclose()
    known = {host.name: by for host, by in zip(hosts, ahead, strict=True) if by is not None}
    return [verdict(known)]


async def _ahead_s(host: Host, client: httpx.AsyncClient) -> float | None:
    """Seconds by which our clock is ahead; None where the host does not say."""
    before = time.time()
    said = await date_of(host, client)
    if said is None:
        return None
    # A header has whole seconds, cut off, and was written at some moment while we waited.
    earliest, latest = before - 1 - said.timestamp(), time.time() - said.timestamp()
    return 0.0 if earliest <= 0 <= latest else min(earliest, latest, key=abs)


def verdict(ahead_s: Mapping[str, float]) -> Finding:
    """What it means that our clock is ahead of these hosts by so many seconds."""
    if not ahead_s:
        return warn("clock", "nobody who is called says what time it is", "see that this host's clock is set by NTP")
    name, worst = max(ahead_s.items(), key=lambda one: abs(one[1]))
    fact = f"within {max(abs(worst), 1):.0f} s of {len(ahead_s)} hosts"
    if abs(worst) < NOTICED_S:
        return ok("clock", fact)
    apart = f"{abs(worst):.0f} s {'ahead of' if worst > 0 else 'behind'} {name}"
    if abs(worst) < HARMFUL_S:
        return warn("clock", apart, _REMEDY)
    return fail("clock", f"{apart}: signatures and image URLs may be refused", _REMEDY)
