"""What one worker does about an account: it asks before calls, and tells only what matters."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.account_desk import AccountDesk, read_standing
from activities.accounts import VIEW_S, Accounts
from activities.attempts import AttemptFailedError
from activities.slot_holders import SlotHolders
from contracts import names
from contracts.accounts import Holders, Limits, Standing
from contracts.errors import FailureClass, Retry, make_failure
from contracts.leases import Lease
from runtime.settings import ServiceSettings
from runtime.temporal import DATA_CONVERTER
from tests.temporal_server import connected, running_server
from tests.workflows.accounts_at_work import AccountSite, accounts_at_work, fresh

OVERLOADED = make_failure(FailureClass.PROVIDER_OVERLOADED, "no capacity")
LIMITED = make_failure(FailureClass.RATE_LIMITED, "too many requests")
NO_QUOTA = make_failure(FailureClass.QUOTA_EXHAUSTED, "no credit left")
REFUSED = make_failure(FailureClass.CONTENT_REJECTED, "not that")


@pytest.fixture(scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    async with running_server(tmp_path_factory.mktemp("accounts")) as address:
        made = await connected(address)
        async with accounts_at_work(made):
            yield made


@pytest.fixture
def site(client: Client) -> AccountSite:
    return fresh(client)


def worker(site: AccountSite, **settings: Any) -> Accounts:
    """The accounts as another worker sees them."""
    return Accounts(site.client, {site.service: service(**settings)})


def service(**settings: Any) -> ServiceSettings:
    return ServiceSettings.model_validate({"kind": "openai", "base_url": "http://127.0.0.1:9", **settings})


async def refusal(accounts: Accounts, site: AccountSite, *, failover: bool = False) -> AttemptFailedError:
    with pytest.raises(AttemptFailedError) as raised:
        await accounts.admit(site.service, failover=failover)
    return raised.value


async def standing(site: AccountSite) -> Standing:
    """The standing, once the account has one."""
    async with asyncio.timeout(20):
        while (found := await read_standing(site.client, site.service)) is None:
            await asyncio.sleep(0.02)
    return found


async def started(site: AccountSite) -> bool:
    return await read_standing(site.client, site.service) is not None


# --- healthy --------------------------------------------------------------------------------------------------------


async def test_a_healthy_account_is_neither_started_nor_told_anything(site: AccountSite) -> None:
    accounts = worker(site)
    for failure in (None, REFUSED, make_failure(FailureClass.OUTCOME_UNKNOWN, "gone")):
        await accounts.admit(site.service, failover=False)
        await accounts.report(site.service, failure, None)
    assert not await started(site)


async def test_no_call_waits_for_a_temporal_that_does_not_answer() -> None:
    client = await Client.connect("127.0.0.1:9", lazy=True, data_converter=DATA_CONVERTER)
    accounts = Accounts(client, {"flux": service()})
    async with asyncio.timeout(30):
        await accounts.admit("flux", failover=False)
        await accounts.report("flux", LIMITED, 5)


# --- cooldown -------------------------------------------------------------------------------------------------------


async def test_one_refusal_holds_all_calls_of_the_account_back(site: AccountSite) -> None:
    first, second = worker(site), worker(site)
    await first.report(site.service, LIMITED, 60)
    await standing(site)
    for accounts in (first, second):
        refused = await refusal(accounts, site)
        assert (refused.failure.failure, refused.retry) == (FailureClass.RATE_LIMITED, Retry.WHEN_ALLOWED)
        assert 50 < (refused.retry_after_s or 0) <= 61


async def test_the_worker_that_was_refused_knows_at_once(site: AccountSite) -> None:
    accounts = worker(site)
    await accounts.admit(site.service, failover=False)
    await asyncio.gather(accounts.report(site.service, LIMITED, 60), refusal(accounts, site))


async def test_a_refusal_that_names_no_time_rests_the_account_a_little(site: AccountSite) -> None:
    accounts = worker(site)
    await accounts.report(site.service, LIMITED, None)
    assert 0 < ((await refusal(accounts, site)).retry_after_s or 0) <= 6


async def test_a_shorter_time_does_not_end_a_longer_one(site: AccountSite) -> None:
    accounts = worker(site)
    await accounts.report(site.service, LIMITED, 60)
    await accounts.report(site.service, LIMITED, 1)
    assert ((await refusal(accounts, site)).retry_after_s or 0) > 50


async def test_a_year_is_an_hour(site: AccountSite) -> None:
    accounts = worker(site)
    await accounts.report(site.service, LIMITED, 365 * 86_400)
    assert ((await refusal(accounts, site)).retry_after_s or 0) <= 3600


async def test_after_the_rest_calls_leave_again(site: AccountSite) -> None:
    accounts = worker(site)
    await accounts.report(site.service, LIMITED, 0.3)
    await asyncio.sleep(((await refusal(accounts, site)).retry_after_s or 0) + 0.1)
    await accounts.admit(site.service, failover=False)


# --- circuit --------------------------------------------------------------------------------------------------------

CIRCUIT = {"circuit": {"failures": 2, "open_s": 60}}


async def opened(site: AccountSite, **settings: Any) -> Accounts:
    """A worker whose calls have opened the circuit."""
    accounts = worker(site, **settings)
    for _ in range(2):
        await accounts.report(site.service, OVERLOADED, None)
    async with asyncio.timeout(20):
        while (await standing(site)).circuit.open_until is None:
            await asyncio.sleep(0.02)
    return accounts


async def test_an_open_circuit_stops_every_worker_without_spending_budget(site: AccountSite) -> None:
    for accounts in (await opened(site, **CIRCUIT), worker(site, **CIRCUIT)):
        refused = await refusal(accounts, site)
        assert (refused.failure.failure, refused.retry) == (FailureClass.PROVIDER_OVERLOADED, Retry.WHEN_ALLOWED)
        assert f"circuit of {site.service} is open until" in refused.failure.message
        assert 50 < (refused.retry_after_s or 0) <= 60


async def test_where_another_service_can_take_it_no_attempt_follows(site: AccountSite) -> None:
    refused = await refusal(await opened(site, **CIRCUIT), site, failover=True)
    assert refused.retry is Retry.NEVER


async def test_one_call_in_a_row_that_is_served_starts_the_count_anew(site: AccountSite) -> None:
    accounts = worker(site, **CIRCUIT)
    await accounts.report(site.service, OVERLOADED, None)
    await accounts.report(site.service, None, None)
    await accounts.report(site.service, OVERLOADED, None)
    await accounts.admit(site.service, failover=False)
    status = await site.until(lambda status: status.standing.circuit.failures == 1)
    assert status.standing.circuit.open_until is None


async def test_one_worker_tries_again_and_closes_the_circuit_for_all(site: AccountSite) -> None:
    short = {"circuit": {"failures": 2, "open_s": 0.5}}
    first = await opened(site, **short)
    second = worker(site, **short)
    await second._looked_at(site.service)  # noqa: SLF001 - both know that it is open
    # However slow this machine is, the probe is still waited for when the second asks.
    await site.change(clear=True, limits=Limits(circuit_failures=2, circuit_open_s=30))
    await asyncio.sleep(0.6)
    await first.admit(site.service, failover=False)
    assert "circuit of" in (await refusal(second, site)).failure.message
    await first.report(site.service, None, None)
    await site.until(lambda status: not status.standing.circuit.disturbed)
    await asyncio.sleep(VIEW_S)
    await second.admit(site.service, failover=False)


async def test_a_circuit_of_0_failures_never_opens(site: AccountSite) -> None:
    accounts = worker(site, circuit={"failures": 0})
    for _ in range(20):
        await accounts.report(site.service, OVERLOADED, None)
    await accounts.admit(site.service, failover=False)
    assert not await started(site)


# --- quota ----------------------------------------------------------------------------------------------------------


async def test_a_thousand_calls_without_quota_are_told_once(site: AccountSite) -> None:
    accounts = worker(site)
    await accounts.report(site.service, NO_QUOTA, None)
    await standing(site)
    for _ in range(999):
        await accounts.report(site.service, NO_QUOTA, None)
    history = await site.handle.fetch_history()
    assert sum(event.HasField("workflow_execution_signaled_event_attributes") for event in history.events) == 1
    await accounts.admit(site.service, failover=False)


async def test_a_call_that_is_paid_again_ends_the_episode(site: AccountSite) -> None:
    accounts = worker(site)
    await accounts.report(site.service, NO_QUOTA, None)
    await accounts.report(site.service, REFUSED, None)
    assert (await standing(site)).quota_exhausted_since is not None
    await accounts.report(site.service, None, None)
    await site.until(lambda status: status.standing.quota_exhausted_since is None)


# --- strict rate ----------------------------------------------------------------------------------------------------


async def test_two_workers_together_never_pass_a_strict_rate(site: AccountSite) -> None:
    strict = {"rate_per_second": 20, "strict_rate": True}
    left: list[float] = []

    async def calling(accounts: Accounts) -> None:
        while len(left) < 50:
            try:
                await accounts.admit(site.service, failover=False)
            except AttemptFailedError as refused:
                assert refused.retry is Retry.WHEN_ALLOWED  # noqa: PT017 - a busy account holds some back
                await asyncio.sleep(refused.retry_after_s or 0)
            else:
                left.append(time.monotonic())

    workers = [worker(site, **strict) for _ in range(2)]
    await asyncio.gather(*(calling(accounts) for accounts in workers for _ in range(10)))
    left.sort()
    assert max(sum(start <= call < start + 1 for call in left) for start in left) <= 21


async def test_a_moment_that_is_far_off_is_not_waited_for_in_the_slot(site: AccountSite) -> None:
    slow = worker(site, rate_per_second=0.2, strict_rate=True)
    await slow.admit(site.service, failover=False)
    refused = await refusal(slow, site)
    assert (refused.failure.failure, refused.retry) == (FailureClass.RATE_LIMITED, Retry.WHEN_ALLOWED)
    assert (refused.retry_after_s or 0) > 2


async def test_without_a_moment_no_call_of_a_strict_account_leaves() -> None:
    client = await Client.connect("127.0.0.1:9", lazy=True, data_converter=DATA_CONVERTER)
    accounts = Accounts(client, {"flux": service(rate_per_second=5, strict_rate=True)})
    with pytest.raises(AttemptFailedError, match="could be reserved"):
        await accounts.admit("flux", failover=False)


# --- own work -------------------------------------------------------------------------------------------------------


async def test_holders_that_have_ended_are_found(site: AccountSite) -> None:
    desk = await site.start(concurrency=3)
    askers = [await desk.ask(names.WORKFLOW_QUEUE) for _ in range(2)]
    status = await desk.until(lambda status: len(status.held) == 2)
    await askers[0].terminate()
    unknown = Lease(lease="unknown", workflow_id="nobody", run_id="", expires_s=1)
    found = await ActivityEnvironment().run(
        SlotHolders(site.client).find_lost_holders, Holders(leases=(*status.held, unknown))
    )
    (ended,) = [lease.lease for lease in status.held if lease.workflow_id == askers[0].id]
    assert set(found.leases) == {ended, "unknown"}
    await askers[1].signal("go")


async def test_a_worker_tells_every_account_its_limits_when_it_starts(site: AccountSite) -> None:
    desk = AccountDesk(site.client, {site.service: service(rate_per_second=7, concurrency=3)})
    await desk.configure(site.service)
    assert (await standing(site)).limits.concurrency == 3
    await site.until_rate(7)
    changed = AccountDesk(site.client, {site.service: service(rate_per_second=8)})
    await changed.configure(site.service)
    await site.until_rate(8)
    assert (await standing(site)).limits.concurrency is None
