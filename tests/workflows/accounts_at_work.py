"""Image-service accounts at work: their workflow, their own activities, and a request that asks for a slot."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.account_desk import signal_account
from activities.queue_rates import QueueRates, read_queue_rate
from activities.slot_holders import SlotHolders
from contracts import names
from contracts.accounts import (
    CHANGE,
    COOL_DOWN,
    REPORT,
    AccountStatus,
    CallReport,
    Change,
    CoolDown,
    Limits,
    Overrides,
)
from contracts.model import Frozen
from tests.workflows.asker import Ask, AskerWorkflow
from workflows import WORKFLOWS, sandbox

PATIENCE_S = 60
NO_LIMITS = Limits()


@dataclass(frozen=True)
class AccountSite:
    """A fresh account, and the means to speak with it."""

    client: Client
    service: str
    limits: Limits = NO_LIMITS

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(names.account_id(self.service))

    async def start(self, **limits: Any) -> AccountSite:
        """The account with these limits, running."""
        site = AccountSite(self.client, self.service, Limits(**limits))
        await site.tell("configure", site.limits)
        return site

    async def tell(self, signal: str, message: Frozen) -> None:
        await signal_account(self.client, self.service, self.limits, signal, message)

    async def cool_down(self, seconds: float) -> None:
        await self.tell(COOL_DOWN, CoolDown(until=time.time() + seconds, message="too many requests"))

    async def report(self, ended: Any, message: str = "it failed") -> None:
        await self.tell(REPORT, CallReport(ended=ended, message=message))

    async def change(self, **fields: Any) -> None:
        """Change the limits as an operator, and wait until it is in force."""
        change = Change(change_id=uuid.uuid4().hex, by="ann", reason="a test", **fields)
        await self.tell(CHANGE, change)
        await self.until(lambda status: status.standing.last_change == change.change_id)

    async def set_live(self, **overrides: Any) -> None:
        await self.change(overrides=Overrides(**overrides))

    async def ask(self, queue: str, **fields: Any) -> WorkflowHandle[Any, float]:
        """A request that asks for a slot."""
        return await self.client.start_workflow(
            AskerWorkflow.run,
            Ask(service=self.service, **fields),
            id=f"asker-{uuid.uuid4()}",
            task_queue=queue,
        )

    async def status(self) -> AccountStatus:
        answer: AccountStatus = await self.handle.query(names.STATUS, result_type=AccountStatus)
        return answer

    async def until(self, true: Callable[[AccountStatus], bool]) -> AccountStatus:
        """Wait until the account says so."""
        async with asyncio.timeout(PATIENCE_S):
            while not true(status := await self.status()):
                await asyncio.sleep(0.02)
        return status

    async def rate(self) -> float | None:
        """What the server holds the account's queue to."""
        return (await read_queue_rate(self.client, names.images_queue(self.service))).rate_per_second

    async def until_rate(self, rate: float | None) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while await self.rate() != rate:
                await asyncio.sleep(0.02)


def fresh(client: Client) -> AccountSite:
    """An account that nobody has heard of."""
    return AccountSite(client, f"flux-{uuid.uuid4().hex[:10]}")


@asynccontextmanager
async def accounts_at_work(client: Client, queue: str = names.WORKFLOW_QUEUE) -> AsyncIterator[None]:
    """The workers that accounts need."""
    workflows = Worker(
        client,
        task_queue=queue,
        workflows=[*WORKFLOWS, AskerWorkflow],
        workflow_runner=sandbox(),
        max_cached_workflows=50,
    )
    own: list[Callable[..., Any]] = [QueueRates(client).set_queue_rate, SlotHolders(client).find_lost_holders]
    async with workflows, Worker(client, task_queue=names.MAINTENANCE_QUEUE, activities=own):
        yield
