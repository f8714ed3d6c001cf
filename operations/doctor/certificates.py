"""Certificates of the hosts that are called: for how long each is still valid."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from operations.doctor.finding import Finding, fail, ok, warn
from operations.doctor.hosts import Certificate, Host, certificate_of, hosts_of, reason
from runtime.settings import Settings

SOON = timedelta(days=21)
"""Time before the end of a certificate from which on somebody should know: renewals run a month before."""


async def look(settings: Settings) -> list[Finding]:
    """Every host that is called by https; nothing is said of the others."""
    hosts = [(host, host.address) for host in hosts_of(settings)]
    now = datetime.now(UTC)
    return list(await asyncio.gather(*(_look_at(host, address, now) for host, address in hosts if address)))


async def _look_at(host: Host, address: tuple[str, int], now: datetime) -> Finding:
    subject = f"certificate {host.name}"
    try:
        return verdict(subject, await certificate_of(address), now)
    except OSError as error:
        where = f"{address[0]}:{address[1]}"
        return fail(subject, f"no TLS at {where}: {reason(error)}", "start what listens there, or correct its URL")


def verdict(subject: str, shown: Certificate, now: datetime) -> Finding:
    """What it means that a host shows this certificate."""
    if shown.expires is None:
        return fail(subject, "none is shown", "give that host a certificate")
    left = shown.expires - now
    if left <= timedelta(0):
        return fail(subject, f"expired {(-left).days} days ago", "renew it: calls to this host are refused")
    until = f"valid for {left.days} days, until {shown.expires:%Y-%m-%d}"
    if shown.problem is not None:
        remedy = "get one that a public authority signs for this name: calls to this host are refused"
        return fail(subject, f"{until}, but refused: {shown.problem}", remedy)
    if left < SOON:
        return warn(subject, until, "renew it, and see why that does not happen by itself")
    return ok(subject, until)
