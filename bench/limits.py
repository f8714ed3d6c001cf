"""Measures the limits of image-service accounts: `python bench/limits.py [overshoot|fairness|cooldown|concurrency]...`.

Prints one JSON document per measurement. All runs in this process against the embedded Temporal server; workers have
connections of their own, as on several hosts. A call is an activity that notes the time.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

# In place of this directory, whose modules are named as others are: limits, site.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import Worker

from activities.account_desk import AccountDesk
from activities.accounts import Accounts
from activities.attempts import AttemptFailedError
from activities.queue_rates import QueueRates
from activities.slot_holders import SlotHolders
from bench.limited import CALL, Ask, LimitedWorkflow
from contracts import names
from contracts.errors import FailureClass, make_failure
from runtime.settings import ServiceSettings
from tests.temporal_server import connected, running_server
from workflows import ImageAccountWorkflow, sandbox

RATE, SECONDS = 20, 6
QUEUED, SLOTS, CALL_S, SETTLE_S = 500, 4, 0.2, 15
REST_S, REQUESTS = 5.0, 24


@dataclass
class Site:
    """A server, the workers of an account, and the calls they made."""

    address: str
    client: Client
    settings: dict[str, ServiceSettings]
    calls: list[tuple[float, str]] = field(default_factory=list)
    """Start of each call and its tenant."""
    running: int = 0
    peak: int = 0

    @property
    def service(self) -> str:
        """The only account."""
        return next(iter(self.settings))

    async def ask(self, count: int, **fields: Any) -> list[asyncio.Task[Any]]:  # noqa: ANN401 - an Ask's fields
        """Start requests."""
        ask = Ask(service=self.service, **fields)
        begin = [
            self.client.start_workflow(
                LimitedWorkflow.run, ask, id=f"limited-{uuid.uuid4()}", task_queue=names.WORKFLOW_QUEUE
            )
            for _ in range(count)
        ]
        return [asyncio.create_task(handle.result()) for handle in await asyncio.gather(*begin)]

    async def worker(self, strict: Callable[[], bool], refuse: Callable[[], bool], **options: Any) -> Worker:  # noqa: ANN401
        """One more worker of the account's queue, with a connection and a view of its own."""
        client = await connected(self.address)
        accounts = Accounts(client, self.settings)

        @activity.defn(name=CALL)
        async def call(ask: Ask) -> None:
            if strict():
                await _admitted(accounts, ask.service)
            self.calls.append((time.monotonic(), ask.tenant))
            self.running += 1
            self.peak = max(self.peak, self.running)
            try:
                await asyncio.sleep(CALL_S)
                if refuse():
                    await accounts.report(ask.service, _LIMITED, REST_S)
                    raise ApplicationError("429", next_retry_delay=timedelta(seconds=REST_S), category=_BENIGN)
            finally:
                self.running -= 1

        return Worker(client, task_queue=names.images_queue(self.service), activities=[call], **options)


_BENIGN = ApplicationErrorCategory.BENIGN
_LIMITED = make_failure(FailureClass.RATE_LIMITED, "429")


async def _admitted(accounts: Accounts, service: str) -> None:
    try:
        await accounts.admit(service, failover=False)
    except AttemptFailedError as refused:
        later = timedelta(seconds=refused.retry_after_s or 0)
        raise ApplicationError(str(refused), next_retry_delay=later, category=_BENIGN) from None


@asynccontextmanager
async def site(**settings: Any) -> AsyncIterator[Site]:  # noqa: ANN401 - a service's settings
    """A fresh server with one account and the workers that accounts need."""
    service = ServiceSettings.model_validate({"kind": "openai", "base_url": "http://127.0.0.1:9", **settings})
    with tempfile.TemporaryDirectory() as directory:
        async with running_server(Path(directory)) as address:
            client = await connected(address)
            own: list[Callable[..., Any]] = [QueueRates(client).set_queue_rate, SlotHolders(client).find_lost_holders]
            kinds: list[type] = [ImageAccountWorkflow, LimitedWorkflow]
            async with (
                Worker(client, task_queue=names.WORKFLOW_QUEUE, workflows=kinds, workflow_runner=sandbox()),
                Worker(client, task_queue=names.MAINTENANCE_QUEUE, activities=own),
            ):
                made = Site(address, client, {"flux": service})
                await AccountDesk(client, made.settings).configure("flux")
                await asyncio.sleep(1.0)
                yield made


async def _run(workers: list[Worker], work: Coroutine[Any, Any, None]) -> None:
    async with AsyncExitStack() as stack:
        for worker in workers:
            await stack.enter_async_context(worker)
        await work


# --- overshoot ------------------------------------------------------------------------------------------------------


async def overshoot() -> dict[str, object]:
    """Most calls in any second at a limit of 20 a second with a backlog: the server alone, and with reservations."""
    found: dict[str, object] = {"rate_per_s": RATE}
    for name, workers, strict in (("server", 1, False), ("strict_1_worker", 1, True), ("strict_2_workers", 2, True)):
        async with site(rate_per_second=RATE, strict_rate=strict) as here:
            await _backlog(here, workers, strict=strict)
            times = sorted(at for at, _ in here.calls)
        most = max(sum(start <= at < start + 1 for at in times) for start in times)
        steady = sum(at - times[0] > 2 for at in times) / (SECONDS - 2)
        found[name] = {"most_in_a_second": most, "then_per_s": round(steady, 1)}
    return found


async def _backlog(here: Site, count: int, *, strict: bool) -> None:
    # A strict account's calls wait for their moment in the worker, so it needs slots for them.
    options = {"max_task_queue_activities_per_second": float(RATE), "max_concurrent_activities": 100}
    workers = [await here.worker(lambda: strict, lambda: False, **options) for _ in range(count)]

    async def load() -> None:
        waiting = await here.ask(RATE * SECONDS * 2)
        while not here.calls:
            await asyncio.sleep(0.01)
        await asyncio.sleep(SECONDS)
        for task in waiting:
            task.cancel()

    await _run(workers, load())
    here.calls[:] = [call for call in here.calls if call[0] - here.calls[0][0] <= SECONDS]


# --- fairness -------------------------------------------------------------------------------------------------------


async def fairness() -> dict[str, object]:
    """How many calls of tenant a, with 500 queued, begin after tenant b has asked and before its call begins."""
    ways: dict[str, dict[str, bool]] = {"first_come": {}, "server_keys": {"fair": True}, "leases": {"leased": True}}
    return {"queued": QUEUED, "slots": SLOTS, **{name: await _waits(**way) for name, way in ways.items()}}


async def _waits(**way: bool) -> int:
    async with site(concurrency=SLOTS) as here:
        slots = QUEUED if way.get("leased") else SLOTS
        worker = await here.worker(lambda: False, lambda: False, max_concurrent_activities=slots)
        waiting = await here.ask(QUEUED, tenant="a", **way)
        # Until the first task of each has run, they queue for the workflow worker, which is not what is measured.
        await asyncio.sleep(SETTLE_S)
        async with worker:
            while len(here.calls) < QUEUED // 20:
                await asyncio.sleep(0.01)
            asked_at = time.monotonic()
            waiting += await here.ask(1, tenant="b", **way)
            while not any(tenant == "b" for _, tenant in here.calls):
                await asyncio.sleep(0.01)
            for task in waiting:
                task.cancel()
        began = next(at for at, tenant in here.calls if tenant == "b")
        return sum(asked_at <= at < began for at, tenant in here.calls if tenant == "a")


# --- cooldown -------------------------------------------------------------------------------------------------------


async def cooldown() -> dict[str, object]:
    """Calls that begin within the rest after a 429, of two workers at 20 a second with a backlog."""
    async with site(rate_per_second=RATE) as here:
        refused: list[float] = []

        def refuse() -> bool:
            if len(here.calls) < RATE * 2 or refused:
                return False
            refused.append(time.monotonic())
            return True

        workers = [await here.worker(lambda: True, refuse, max_concurrent_activities=50) for _ in range(2)]

        async def load() -> None:
            waiting = await here.ask(RATE * 20)
            while not refused:
                await asyncio.sleep(0.01)
            while here.calls[-1][0] < refused[0] + REST_S:
                await asyncio.sleep(0.1)
            for task in waiting:
                task.cancel()

        await _run(workers, load())
        after = [at - refused[0] for at, _ in here.calls if at > refused[0]]
    slipped = [at for at in after if at < REST_S - 0.2]
    resumed = min(at for at in after if at >= REST_S - 0.2)
    return {
        "rest_s": REST_S,
        "would_have_begun": round(RATE * REST_S),
        "slipped": len(slipped),
        "last_slipped_after_s": round(max(slipped, default=0.0), 2),
        "resumed_after_s": round(resumed, 2),
    }


# --- concurrency ----------------------------------------------------------------------------------------------------


async def concurrency() -> dict[str, object]:
    """At most 4 at once, by leases or by one worker with 4 slots: what each holds, and what it costs."""
    found: dict[str, object] = {"limit": SLOTS}
    for name, workers, leased in (("one_worker", 1, False), ("two_workers", 2, False), ("leases_2_workers", 2, True)):
        found[name] = await _held(workers, leased=leased)
    plain, leased_s = await _latency(leased=False), await _latency(leased=True)
    found["latency_ms"] = {"plain": plain["p50_ms"], "leased": leased_s["p50_ms"]}
    found["account_events_per_request"] = leased_s["events"]
    return found


async def _held(count: int, *, leased: bool) -> dict[str, object]:
    async with site(concurrency=SLOTS) as here:
        slots = QUEUED if leased else SLOTS
        workers = [
            await here.worker(lambda: False, lambda: False, max_concurrent_activities=slots) for _ in range(count)
        ]
        begun, jobs = time.monotonic(), 2.0

        async def load() -> None:
            await asyncio.gather(*await here.ask(REQUESTS, leased=leased, job_s=jobs))

        await _run(workers, load())
        times = [at for at, _ in here.calls]
        unfinished = max(sum(start - CALL_S - jobs < at <= start for at in times) for start in times)
        took = round(time.monotonic() - begun, 1)
        return {"calls_at_once": here.peak, "calls_and_jobs_at_once": unfinished, "took_s": took}


async def _latency(*, leased: bool) -> dict[str, float]:
    async with site(concurrency=SLOTS) as here:
        workers = [await here.worker(lambda: False, lambda: False)]
        took: list[float] = []

        async def load() -> None:
            for _ in range(100):
                begun = time.perf_counter()
                await asyncio.gather(*await here.ask(1, leased=leased))
                took.append((time.perf_counter() - begun) * 1000)

        await _run(workers, load())
        account = here.client.get_workflow_handle(names.account_id(here.service))
        events = len((await account.fetch_history()).events)
    return {"p50_ms": round(sorted(took)[len(took) // 2], 1), "events": round(events / len(took), 1)}


MEASUREMENTS: dict[str, Callable[[], Coroutine[Any, Any, dict[str, object]]]] = {
    "overshoot": overshoot,
    "fairness": fairness,
    "cooldown": cooldown,
    "concurrency": concurrency,
}


def main() -> None:
    """Run the named measurements, or all."""
    for name in sys.argv[1:] or MEASUREMENTS:
        result = asyncio.run(MEASUREMENTS[name]())
        sys.stdout.write(json.dumps({"measurement": name, **result}) + "\n")


if __name__ == "__main__":
    main()
