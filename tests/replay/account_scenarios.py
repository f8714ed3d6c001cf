"""Scenarios of `image-account`, whose histories are recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from temporalio.client import Client, WorkflowHistory

from contracts import names
from contracts.accounts import CLAIM_PROBE, RESERVE, Acquire, Limits, Reserve
from tests.workflows.accounts_at_work import AccountSite, accounts_at_work

Scenario = Callable[[AccountSite], Awaitable[None]]

QUEUE = names.WORKFLOW_QUEUE


async def leases(account: AccountSite) -> None:
    """Slots asked for, granted, repeated, given back, expired, and refused by one that has ended."""
    site = await account.start(concurrency=1)
    holder = await site.ask(QUEUE, tenant="a")
    status = await site.until(lambda status: len(status.held) == 1)
    (held,) = status.held
    again = Acquire(workflow_id=held.workflow_id, run_id=held.run_id, lease=held.lease, expires_s=60)
    await site.tell(names.ACQUIRE_SLOT, again)
    gone, last = await site.ask(QUEUE, tenant="a"), await site.ask(QUEUE, tenant="b", priority=1, expires_s=1)
    await site.until(lambda status: status.waiting == 2)
    await gone.terminate()
    await holder.signal("go")
    await site.until(lambda status: [lease.workflow_id for lease in status.held] == [last.id])
    await last.terminate()
    await site.until(lambda status: not status.held and not status.waiting)


async def cooldown(account: AccountSite) -> None:
    """Two rests that overlap, and the rate given back."""
    site = await account.start(rate_per_second=7)
    await site.until_rate(7)
    await site.cool_down(2)
    await site.cool_down(3)
    await site.until_rate(0)
    await site.until_rate(7)
    await site.until(lambda status: status.standing.cooldown_until is None)


async def limits(account: AccountSite) -> None:
    """Limits changed live, cleared, applied and configured."""
    site = await account.start(rate_per_second=7, concurrency=2)
    await site.set_live(rate_per_second=3, concurrency=1, weights={"acme": 2.0})
    await site.until_rate(3)
    await site.change(clear=True)
    await site.until_rate(7)
    await site.change(clear=True, limits=Limits(rate_per_second=9))
    await site.until_rate(9)


async def circuit_and_quota(account: AccountSite) -> None:
    """A circuit that opens, is probed and closes; quota that is exhausted and comes back; moments reserved."""
    site = await account.start(circuit_failures=2, circuit_open_s=1, rate_per_second=20, strict=True)
    for ended in ("not_served", "answered", "not_served", "not_served"):
        await site.report(ended)
    await site.until(lambda status: status.standing.circuit.open_until is not None)
    await site.handle.execute_update(CLAIM_PROBE)
    await asyncio.sleep(1.1)
    await site.handle.execute_update(CLAIM_PROBE)
    for ended in ("served", "no_quota", "no_quota", "served"):
        await site.report(ended)
    await site.handle.execute_update(RESERVE, Reserve(count=3, within_s=2))
    await site.until(lambda status: any("quota again" in line for line in status.log))


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {scenario.__name__: scenario for scenario in (leases, cooldown, limits, circuit_and_quota)}
)


async def played(scenario: str, client: Client) -> WorkflowHistory:
    """The history of a scenario."""
    account = AccountSite(client, scenario.replace("_", "-"))
    async with accounts_at_work(client):
        await SCENARIOS[scenario](account)
    return await account.handle.fetch_history()
