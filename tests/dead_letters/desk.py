"""Dead letters to decide about, and the batches that do."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from temporalio.client import Client, WorkflowHandle

from contracts import names
from contracts.dead_letter_batches import PROGRESS, BatchReport, batch_id
from contracts.dead_letter_orders import BatchOrder
from contracts.dead_letters import LetterFilter
from contracts.decisions import Status
from contracts.dialects import DIALECTS
from operations.dead_letter_batches import order_batch
from runtime.configuration import load_settings
from starter.intake.starting import start
from starter.intake.submission import submission
from tests.dead_letters.desk_worker import at_work
from tests.operations.commandline import CommandLine

PATIENCE_S = 90


@dataclass
class Desk:
    """A server, a directory, and the requests of one test."""

    client: Client
    address: str
    line: CommandLine
    requests: list[WorkflowHandle[Any, Any]] = field(default_factory=list)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """A worker in this process."""
        async with at_work(self.client, self.line.directory):
            yield

    def give(self, what: str) -> None:
        """Give the account its `credit`, or an `odoo`."""
        (self.line.directory / what).touch()

    async def parked(self, count: int, prompt: str = "a fox", route: str = "event", mark: str = "dl") -> list[str]:
        """New dead letters; needs a worker, and an account without credit (or an Odoo that refuses)."""
        ids = [f"{mark}-{uuid.uuid4().hex[:12]}" for _ in range(count)]
        settings = load_settings(self.line.config)
        bodies = [{"requestId": request_id, "correlationId": "c-1", "prompt": prompt} for request_id in ids]
        asked = [submission(settings, route, DIALECTS["event"].parse(body)) for body in bodies]
        await asyncio.gather(*(start(self.client, one, 10) for one in asked))
        self.requests += [self.client.get_workflow_handle(one.workflow_id) for one in asked]
        named = ", ".join(f'"{request_id}"' for request_id in ids)
        await until(lambda: self._listed(f'Stage = "parked" AND RequestId IN ({named})', count))
        await asyncio.gather(*(until(lambda one=one: self._is_told(one)) for one in self.requests[-count:]))  # type: ignore[misc]
        return ids

    async def _is_told(self, handle: WorkflowHandle[Any, Any]) -> bool:
        # The failure is told to Odoo beside the wait; a decision in that moment would be another test's subject.
        log = (await self.told(handle)).log
        return "at step deliver" in log[-1] or "Odoo took" in log[-1]

    async def _listed(self, query: str, count: int) -> bool:
        return (await self.client.count_workflows(query)).count == count

    def handle(self, request_id: str, route: str = "event") -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(f"{route}/{request_id}")

    async def told(self, handle: WorkflowHandle[Any, Any]) -> Status:
        status: Status = await handle.query(names.STATUS, result_type=Status)
        return status

    async def redrives(self, ids: Iterable[str]) -> list[int]:
        """How often each was redriven, by its own log."""
        told = await asyncio.gather(*(self.told(self.handle(request_id)) for request_id in ids))
        return [sum("redriven by" in line for line in one.log) for one in told]

    def generated(self) -> list[int]:
        """How often each image was made."""
        folder = self.line.directory / "generated"
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        return [len(file.read_text(encoding="utf-8").splitlines()) for file in files]

    async def order(self, **fields: Any) -> Batch:
        """A batch of everything on route event, as an operator orders it."""
        given: dict[str, Any] = {
            "name": f"b-{uuid.uuid4().hex[:8]}",
            "kind": "redrive",
            "by": "ann",
            "reason": "credit was added",
            "chosen": LetterFilter(route="event"),
            "pace": 200,
        }
        order = BatchOrder.model_validate({**given, **fields})
        await order_batch(self.client, order)
        return Batch(self.client, order.name)

    async def clear(self) -> None:
        """End what the test has left."""
        described = await asyncio.gather(*(handle.describe() for handle in self.requests))
        left = [handle for handle, one in zip(self.requests, described, strict=True) if one.close_time is None]
        await asyncio.gather(*(handle.terminate() for handle in left))
        await until(lambda: self._listed('Stage = "parked" AND ExecutionStatus = "Running"', 0))


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch under way."""

    client: Client
    name: str

    @property
    def handle(self) -> WorkflowHandle[Any, BatchReport]:
        return self.client.get_workflow_handle(batch_id(self.name), result_type=BatchReport)

    async def report(self) -> BatchReport:
        told: BatchReport = await self.handle.query(PROGRESS, result_type=BatchReport)
        return told

    async def result(self) -> BatchReport:
        async with asyncio.timeout(PATIENCE_S):
            return await self.handle.result()

    async def until(self, reached: Callable[[BatchReport], bool]) -> BatchReport:
        """The report that fulfils a condition."""
        async with asyncio.timeout(PATIENCE_S):
            while not reached(report := await self.report()):
                await asyncio.sleep(0.05)
        return report


async def until(reached: Callable[[], Any]) -> None:
    """Wait until an asynchronous condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not await reached():
            await asyncio.sleep(0.05)
