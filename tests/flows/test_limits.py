"""Limits end to end: requests lease slots, workers of several hosts rest together, and nothing is spent meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from activities.accounts import VIEW_S, Accounts
from activities.attempts import AttemptFailedError, run_attempt
from contracts import names
from contracts.accounts import AccountStatus, Limits
from contracts.errors import FailureClass, make_failure
from contracts.policies import StepPolicy
from contracts.requests import GenerateInput, Generation, Outcome
from runtime.settings import ServiceSettings
from tests.temporal_server import connected, running_server
from tests.workflows.accounts_at_work import AccountSite, accounts_at_work
from tests.workflows.harness import MADE, Bench, Doubles, Handle, bench, policies

Until = Callable[[AccountStatus], bool]

LIMITED = make_failure(FailureClass.RATE_LIMITED, "too many requests")
DOWN = make_failure(FailureClass.PROVIDER_OVERLOADED, "no capacity")
POLICY = StepPolicy(attempts=3, initial_s=0.2, maximum_s=0.5, timeout_s=5, deadline_s=60, heartbeat_s=5)


@pytest.fixture(scope="module")
async def address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with running_server(tmp_path_factory.mktemp("limits")) as address, accounts_at_work(await connected(address)):
        yield address


@pytest.fixture
async def client(address: str) -> Client:
    return await connected(address)


# --- slots ----------------------------------------------------------------------------------------------------------


@dataclass
class Slow(Doubles):
    """Counts how many calls are under way."""

    running: int = 0
    peak: int = 0
    order: list[str] = field(default_factory=list)

    @activity.defn(name=names.GENERATE)
    async def generate_image(self, call: GenerateInput) -> Generation:
        self.order.append(call.reference.request_id)
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            await asyncio.sleep(0.1)
            return await super().generate_image(call)
        finally:
            self.running -= 1


async def ask(here: Bench, count: int, tenant: str = "a") -> list[Handle]:
    """Requests that need a slot."""
    leased = {"leased": (here.service,), "tenant": tenant}
    return [await here.start(**leased, **_named(here, tenant, n)) for n in range(count)]


def _named(here: Bench, tenant: str, number: int) -> dict[str, object]:
    reference = here.order().reference.model_copy(update={"request_id": f"{tenant}-{number}-{here.tag}"})
    return {"reference": reference, "policies": policies(generate=POLICY)}


@asynccontextmanager
async def limited(client: Client, doubles: Doubles, concurrency: int) -> AsyncIterator[tuple[Bench, AccountSite]]:
    async with bench(client, doubles) as here:
        yield here, await AccountSite(client, here.service).start(concurrency=concurrency)


async def test_no_more_requests_than_slots_are_served_at_once(client: Client) -> None:
    doubles = Slow()
    async with limited(client, doubles, 2) as (here, account):
        results = await asyncio.gather(*(handle.result() for handle in await ask(here, 8)))
        await account.until(lambda status: not status.held)
    assert {result.outcome for result in results} == {Outcome.COMPLETED}
    assert doubles.peak <= 2


async def test_another_tenant_does_not_wait_for_the_whole_queue(client: Client) -> None:
    doubles = Slow(hold=names.GENERATE)
    async with limited(client, doubles, 1) as (here, account):
        crowd = await ask(here, 8, "a")
        await account.until(lambda status: status.waiting == 7)
        (other,) = await ask(here, 1, "b")
        await account.until(lambda status: status.waiting == 8)
        doubles.release.set()
        await asyncio.gather(*(handle.result() for handle in (*crowd, other)))
    assert [name[0] for name in doubles.order[:3]].index("b") <= 2


async def test_a_cancelled_request_leaves_its_slot_and_its_place_in_the_queue(client: Client) -> None:
    doubles = Slow(hold=names.GENERATE)
    async with limited(client, doubles, 1) as (here, account):
        requests = await ask(here, 3)
        status = await account.until(lambda status: (len(status.held), status.waiting) == (1, 2))
        holder = next(handle for handle in requests if handle.id == status.held[0].workflow_id)
        waiting = [handle for handle in requests if handle is not holder]
        await waiting[0].cancel()
        await account.until(lambda status: status.waiting == 1)
        await holder.cancel()
        await account.until(lambda status: [one.workflow_id for one in status.held] == [waiting[1].id])
        doubles.release.set()
        outcomes = [(await handle.result()).outcome for handle in (waiting[0], holder, waiting[1])]
        await account.until(lambda status: not status.held)
    assert outcomes == [Outcome.CANCELLED, Outcome.CANCELLED, Outcome.COMPLETED]


# --- cooldown and circuit -------------------------------------------------------------------------------------------


@dataclass
class Provider:
    """An image service that several workers call, each with a view of the account of its own."""

    script: list[AttemptFailedError | None]
    calls: list[float] = field(default_factory=list)

    def worker(self, client: Client, service: str, settings: ServiceSettings) -> Worker:
        accounts = Accounts(client, {service: settings})

        @activity.defn(name=names.GENERATE)
        async def generate_image(call: GenerateInput) -> Generation:
            return await run_attempt(call.policy, lambda: self._generate(accounts, call))

        return Worker(client, task_queue=names.images_queue(service), activities=[generate_image])

    async def _generate(self, accounts: Accounts, call: GenerateInput) -> Generation:
        await accounts.admit(call.service, failover=call.failover)
        self.calls.append(time.time())
        refused = self.script.pop(0) if self.script else None
        await accounts.report(
            call.service, refused.failure if refused else None, refused.retry_after_s if refused else None
        )
        if refused:
            raise refused
        return MADE


async def served(address: str, provider: Provider, count: int, until: Until | None = None, **settings: object) -> None:
    """Have that many requests served by two workers, the others once the account is as the first has left it."""
    client = await connected(address)
    fields = ServiceSettings.model_validate({"kind": "openai", "base_url": "http://127.0.0.1:9", **settings})
    async with bench(client, Doubles()) as here, AsyncExitStack() as stack:
        # The bench's own worker of this queue would answer without asking: these serve another account.
        account = await AccountSite(client, f"{here.service}-real").start(**_limits(fields))
        for _ in range(2):
            connection = await connected(address)
            await stack.enter_async_context(provider.worker(connection, account.service, fields))
        handles = [await here.start(service=account.service, **_named(here, "a", 0))]
        if until is not None:
            await account.until(until)
            # Either worker may have looked just before.
            await asyncio.sleep(VIEW_S)
        handles += [await here.start(service=account.service, **_named(here, "b", n)) for n in range(count - 1)]
        results = await asyncio.gather(*(handle.result() for handle in handles))
    assert {result.outcome for result in results} == {Outcome.COMPLETED}


def _limits(settings: ServiceSettings) -> dict[str, object]:
    circuit = settings.circuit
    limits = Limits(circuit_failures=circuit.failures, circuit_open_s=circuit.open_s)
    return limits.model_dump()


async def test_after_one_refusal_all_workers_rest_and_no_budget_is_spent(address: str) -> None:
    provider = Provider([AttemptFailedError(LIMITED, 6.0)])
    await served(address, provider, 6, lambda status: status.standing.cooldown_until is not None)
    assert len(provider.calls) == 7
    assert min(provider.calls[1:]) >= provider.calls[0] + 5.9


async def test_more_refusals_than_attempts_kill_no_request(address: str) -> None:
    provider = Provider([AttemptFailedError(LIMITED, 0.2) for _ in range(5)])
    await served(address, provider, 1)
    assert len(provider.calls) == 6


async def test_an_open_circuit_is_waited_out_without_calls_and_without_budget(address: str) -> None:
    provider = Provider([AttemptFailedError(DOWN), AttemptFailedError(DOWN)])
    circuit = {"failures": 2, "open_s": 6}
    await served(address, provider, 3, lambda status: status.standing.circuit.open_until is not None, circuit=circuit)
    assert len(provider.calls) == 5
    assert provider.calls[2] >= provider.calls[1] + 5.9
