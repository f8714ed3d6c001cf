"""What an operator reads about an image-service account in the Web UI, in Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from contracts.accounts import AccountStatus, Standing
from contracts.leases import Lease

_TENANTS_SHOWN = 10


def tenants(waiting: Iterable[Lease]) -> dict[str, int]:
    """How many of each tenant's requests wait."""
    counts: dict[str, int] = {}
    for lease in waiting:
        counts[lease.tenant] = counts.get(lease.tenant, 0) + 1
    return counts


def render(status: AccountStatus) -> str:
    """The current details of an account."""
    standing = status.standing
    facts = [
        f"- Rate: {_limit(standing.rate_per_second, standing.live.rate_per_second, ' a second')}",
        f"- Concurrency: {_limit(standing.concurrency, standing.live.concurrency, ' at once')}",
        f"- Slots held: {len(status.held)}, waited for: {status.waiting}{_by_tenant(status.waiting_by_tenant)}",
    ]
    history = "\n".join(f"- {_literal(line)}" for line in status.log)
    return f"{_headline(status.service, standing)}\n\n" + "\n".join(facts) + f"\n\n### What happened\n{history}\n"


def _headline(service: str, standing: Standing) -> str:
    if standing.cooldown_until is not None:
        return f"**Cooldown**: `{service}` is not called before {_clock(standing.cooldown_until)}."
    if standing.circuit.open_until is not None:
        again = _clock(standing.circuit.open_until)
        return f"**Circuit open**: `{service}` does not serve; one call tries again at {again}."
    if standing.quota_exhausted_since is not None:
        since = _clock(standing.quota_exhausted_since)
        return f"**Quota exhausted** since {since}: add credit to the account of `{service}`, then redrive."
    return f"**In service**: `{service}` is called within its limits."


def _limit(value: float | None, live: float | None, unit: str) -> str:
    if value is None:
        return "unlimited"
    return f"{value:g}{unit}" + (" (set live)" if live is not None else "")


def _by_tenant(counts: dict[str, int]) -> str:
    most = sorted(counts.items(), key=lambda one: -one[1])[:_TENANTS_SHOWN]
    return f" ({', '.join(f'{_literal(tenant)} {count}' for tenant, count in most)})" if most else ""


def _clock(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _literal(text: str) -> str:
    # Text from outside must not become Markdown or a link in the operator's browser.
    return "`" + text.replace("`", "'") + "`"
