"""SIGTERM of the worker during a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.crashes.orders import FREE, PAID, SLOW, Fate, Order, completed_once, orders, strange, unknown_once
from tests.crashes.site import Site

LONG_S, SHORT_S = "10", "0.5"
"""Grace periods: longer and shorter than a slow call."""
StartWorker = Callable[[str], Awaitable[asyncio.subprocess.Process]]


@pytest.fixture(scope="module")
async def workless(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A stack without any worker."""
    site = Site(tmp_path_factory.mktemp("workless"))
    try:
        await site.start(worker=False)
        yield site
    finally:
        await site.stop()


@pytest.fixture
async def worker(workless: Site, tmp_path: Path) -> AsyncIterator[StartWorker]:
    """Starts workers with a grace period."""
    workers: list[asyncio.subprocess.Process] = []

    async def start(grace_s: str) -> asyncio.subprocess.Process:
        workers.append(await workless.own_worker(tmp_path / "worker.log", worker__shutdown_grace_s=grace_s))
        return workers[-1]

    yield start
    for one in workers:
        if one.returncode is None:
            one.kill()
            await one.wait()


async def _stopped_amid(site: Site, start: StartWorker, grace_s: str, wanted: list[Order]) -> list[Fate]:
    """The fates of requests whose worker was told to stop while it waited for their images."""
    first = await start(grace_s)
    await site.take_all(wanted)
    await site.stored("marker", wanted)
    first.terminate()
    code = await first.wait()
    assert code == 0, f"the worker ended with code {code}"
    await start(LONG_S)
    return await site.settled(wanted)


async def test_a_call_within_the_grace_period_ends_in_its_first_attempt(workless: Site, worker: StartWorker) -> None:
    wanted = [*orders(PAID, SLOW, 3), *orders(FREE, SLOW, 3)]
    odd = strange(await _stopped_amid(workless, worker, LONG_S, wanted), completed_once)
    assert not odd, f"not delivered, or paid twice: {odd}"
    attempts = {order.request_id: await workless.attempts(order) for order in wanted}
    assert all(set(each) == {1} for each in attempts.values()), f"a call was repeated: {attempts}"


async def test_a_call_beyond_the_grace_period_is_settled_by_policy_and_spends_no_retry(
    workless: Site, worker: StartWorker
) -> None:
    paid, free = orders(PAID, SLOW, 3), orders(FREE, SLOW, 3)
    await _stopped_amid(workless, worker, SHORT_S, [*paid, *free])
    odd = strange(await workless.fates(paid), unknown_once)
    assert not odd, f"a paid call that was cut off is neither repeated nor forgotten: {odd}"
    # The services of this site may fail once only: a repeated call that arrives shows that this was no failure.
    lost = strange(await workless.fates(free), lambda fate: (fate.runs, fate.arrived) == (1, ("completed",)))
    assert not lost, f"a free call that was cut off was not repeated: {lost}"
