"""The workflow of an account, on a server of its own: workers take the real queues here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from activities.account_desk import read_standing
from activities.queue_rates import set_queue_rate
from contracts import names
from contracts.accounts import CLAIM_PROBE, Acquire, Limits, Probe, QueueRate, Release, Reserve, Reserved
from tests.temporal_server import connected, running_server
from tests.workflows.accounts_at_work import AccountSite, accounts_at_work, fresh

QUEUE = names.WORKFLOW_QUEUE


@pytest.fixture(scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    async with running_server(tmp_path_factory.mktemp("accounts")) as address:
        yield await connected(address)


@pytest.fixture(scope="module")
async def working(client: Client) -> AsyncIterator[None]:
    async with accounts_at_work(client):
        yield


@pytest.fixture
def account(client: Client, working: None) -> AccountSite:
    return fresh(client)


async def granted(*askers: object) -> list[int]:
    return [await asker.query("grants") for asker in askers]  # type: ignore[attr-defined]


# --- slots ----------------------------------------------------------------------------------------------------------


async def test_slots_are_granted_up_to_the_limit_and_handed_on(account: AccountSite) -> None:
    site = await account.start(concurrency=2)
    askers = [await site.ask(QUEUE) for _ in range(3)]
    await site.until(lambda status: (len(status.held), status.waiting) == (2, 1))
    holders = {lease.workflow_id for lease in (await site.status()).held}
    (last,) = [asker for asker in askers if asker.id not in holders]
    first, second = [asker for asker in askers if asker.id in holders]
    await first.signal("go")
    await site.until(lambda status: last.id in {lease.workflow_id for lease in status.held})
    for asker in (second, last):
        await asker.signal("go")
        assert await asker.result() > 0
    await site.until(lambda status: not status.held)


async def test_the_slot_of_a_holder_that_was_terminated_is_taken_back_when_it_expires(account: AccountSite) -> None:
    site = await account.start(concurrency=1)
    holder = await site.ask(QUEUE, expires_s=1)
    await site.until(lambda status: len(status.held) == 1)
    await holder.terminate()
    waiter = await site.ask(QUEUE)
    status = await site.until(lambda status: [lease.workflow_id for lease in status.held] == [waiter.id])
    assert "not released in 1 s" in "".join(status.log)
    await waiter.signal("go")


async def test_a_waiter_that_has_ended_holds_nobody_up(account: AccountSite) -> None:
    site = await account.start(concurrency=1)
    holder = await site.ask(QUEUE)
    await site.until(lambda status: len(status.held) == 1)
    gone = await site.ask(QUEUE)
    await site.until(lambda status: status.waiting == 1)
    await gone.terminate()
    last = await site.ask(QUEUE)
    await site.until(lambda status: status.waiting == 2)
    await holder.signal("go")
    await site.until(lambda status: [lease.workflow_id for lease in status.held] == [last.id])
    await last.signal("go")


async def test_asking_again_repeats_the_grant_and_takes_no_second_slot(account: AccountSite) -> None:
    site = await account.start(concurrency=2)
    asker = await site.ask(QUEUE)
    status = await site.until(lambda status: len(status.held) == 1)
    (held,) = status.held
    again = Acquire(workflow_id=held.workflow_id, run_id=held.run_id, lease=held.lease, expires_s=60)
    await site.tell(names.ACQUIRE_SLOT, again)
    async with asyncio.timeout(20):
        while await granted(asker) != [2]:
            await asyncio.sleep(0.02)
    assert len((await site.status()).held) == 1
    await asker.signal("go")


async def test_more_concurrency_is_granted_as_soon_as_it_is_set(account: AccountSite) -> None:
    site = await account.start(concurrency=1)
    askers = [await site.ask(QUEUE) for _ in range(3)]
    await site.until(lambda status: status.waiting == 2)
    await site.set_live(concurrency=3)
    await site.until(lambda status: len(status.held) == 3)
    for asker in askers:
        await asker.signal("go")


async def test_everything_is_handed_on_to_a_new_run(account: AccountSite) -> None:
    site = await account.start(concurrency=1, rate_per_second=7)
    first = (await site.handle.describe()).run_id
    holder, waiter = await site.ask(QUEUE, tenant="a"), await site.ask(QUEUE, tenant="b")
    await site.until(lambda status: status.waiting == 1)
    status = await site.status()
    async with asyncio.timeout(100):
        while (await site.handle.describe()).run_id == first:
            # What changes nothing makes the run longer all the same.
            await asyncio.gather(*(site.tell(names.RELEASE_SLOT, Release(lease="unknown")) for _ in range(50)))
    assert await site.status() == status
    await holder.signal("go")
    await site.until(lambda status: [lease.workflow_id for lease in status.held] == [waiter.id])
    assert await site.rate() == 7
    await waiter.signal("go")


# --- cooldown -------------------------------------------------------------------------------------------------------


async def test_a_cooldown_holds_the_queue_back_and_gives_the_rate_back(account: AccountSite) -> None:
    site = await account.start(rate_per_second=7)
    await site.until_rate(7)
    await site.cool_down(1.5)
    await site.until_rate(0)
    await site.until_rate(7)
    assert any("too many requests" in line for line in (await site.status()).log)


async def test_an_account_without_a_rate_has_none_after_the_cooldown(account: AccountSite) -> None:
    site = await account.start()
    await site.cool_down(1)
    await site.until_rate(0)
    await site.until_rate(None)


async def test_of_two_ends_the_later_counts_in_any_order(account: AccountSite) -> None:
    site = await account.start()
    begun = time.time()
    await site.cool_down(300)
    await site.cool_down(5)
    status = await site.until(lambda status: status.standing.cooldown_until is not None)
    assert (status.standing.cooldown_until or 0) >= begun + 290


async def test_no_service_can_shut_an_account_for_longer_than_an_hour(account: AccountSite) -> None:
    site = await account.start()
    await site.cool_down(10**6)
    status = await site.until(lambda status: status.standing.cooldown_until is not None)
    assert (status.standing.cooldown_until or 0) <= time.time() + 3601


async def test_a_terminated_account_that_cooled_down_comes_back_open(account: AccountSite) -> None:
    site = await account.start(rate_per_second=7)
    await site.cool_down(60)
    await site.until_rate(0)
    await site.handle.terminate()
    await site.start(rate_per_second=7)
    await site.until_rate(7)


# --- circuit and quota ----------------------------------------------------------------------------------------------


async def test_the_circuit_opens_lets_one_call_try_and_closes(account: AccountSite) -> None:
    site = await account.start(circuit_failures=2, circuit_open_s=1)
    await site.report("not_served")
    await site.report("not_served")
    await site.until(lambda status: status.standing.circuit.open_until is not None)
    probes = [await site.handle.execute_update(CLAIM_PROBE, result_type=Probe) for _ in range(2)]
    assert all(probe.wait_s > 0 for probe in probes)
    await asyncio.sleep(1)
    probes = [await site.handle.execute_update(CLAIM_PROBE, result_type=Probe) for _ in range(2)]
    assert [probe.wait_s > 0 for probe in probes] == [False, True]
    await site.report("served")
    status = await site.until(lambda status: not status.standing.circuit.disturbed)
    assert any("circuit closed" in line for line in status.log)


async def test_a_refused_call_shows_that_the_service_is_up(account: AccountSite) -> None:
    site = await account.start(circuit_failures=3)
    await site.report("not_served")
    await site.report("answered")
    await site.until(lambda status: status.standing.circuit.failures == 0)


async def test_exhausted_quota_is_told_once_per_episode(account: AccountSite, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "temporalio.workflow")
    site = await account.start()
    for ended in ("no_quota", "no_quota", "served", "no_quota"):
        await site.report(ended, "no credit left")
    status = await site.until(lambda status: "".join(status.log).count("quota exhausted") == 2)
    assert status.standing.quota_exhausted_since is not None
    told = [record.levelname for record in caplog.records if "account_quota_exhausted" in str(record.msg)]
    assert told == ["ERROR", "ERROR"]


# --- limits, moments, standing --------------------------------------------------------------------------------------


async def test_live_limits_are_set_audited_and_cleared(account: AccountSite) -> None:
    site = await account.start(rate_per_second=7)
    await site.set_live(rate_per_second=3, weights={"acme": 2.0})
    await site.until_rate(3)
    await site.change(clear=True)
    await site.until_rate(7)
    log = (await site.status()).log
    assert any("rate_per_second = 3.0" in line and "by ann: a test" in line for line in log)
    assert any("live limits cleared by ann" in line for line in log)


async def test_applied_limits_are_written_again_where_someone_else_has_set_the_queue(account: AccountSite) -> None:
    site = await account.start(rate_per_second=7)
    await site.until_rate(7)
    await set_queue_rate(
        site.client, QueueRate(queue=names.images_queue(site.service), rate_per_second=1, reason="by hand")
    )
    await site.change(clear=True, limits=Limits(rate_per_second=9))
    await site.until_rate(9)


async def test_moments_are_reserved_for_all_workers_together(account: AccountSite) -> None:
    site = await account.start(rate_per_second=20, strict=True)
    ask = Reserve(count=3, within_s=2)
    answers = await asyncio.gather(
        *(site.handle.execute_update("reserve-moments", ask, result_type=Reserved) for _ in range(4))
    )
    moments = sorted(moment for answer in answers for moment in answer.moments)
    assert len(moments) == 12
    assert all(moments[n + 1] - moments[n] > 1 / 20 for n in range(11))


async def test_no_moment_lies_in_a_cooldown(account: AccountSite) -> None:
    site = await account.start(rate_per_second=20, strict=True)
    await site.cool_down(60)
    answer = await site.handle.execute_update("reserve-moments", Reserve(count=1, within_s=2), result_type=Reserved)
    assert answer.moments == ()
    assert answer.retry_in_s > 50


async def test_a_closed_account_has_no_standing(account: AccountSite) -> None:
    site = await account.start()
    await site.until_rate(None)
    await site.handle.terminate()
    assert (await site.handle.describe()).status is WorkflowExecutionStatus.TERMINATED
    assert await read_standing(site.client, site.service) is None
    with pytest.raises(RPCError):
        await site.handle.signal("configure", site.limits)
