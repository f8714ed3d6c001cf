"""Posting the demo's webhooks and following each to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from temporalio.client import Client, WorkflowFailureError
from temporalio.service import RPCError

from contracts.identity import header_value, workflow_id
from contracts.requests import ImageGenerationResult
from contracts.search_attributes import ROUTE, STAGE
from operations.demo.requests import DemoRequest
from operations.stack import StandIns


@dataclass(slots=True)
class Tracked:
    """One posted request and what became of it."""

    request: DemoRequest
    stage: str = "waiting"
    posted_at: float = 0.0
    """Epoch seconds."""
    acknowledge_ms: float | None = None
    status: int | None = None
    delivered_ms: float | None = None
    attempts: int = 0
    """Calls to the image service."""
    image: str | None = None
    outcome: str | None = None
    deduplicated: int = 0
    problem: str | None = None

    @property
    def workflow_id(self) -> str:
        """The id of its workflow."""
        return workflow_id(self.request.route.name, self.request.request_id)


@dataclass(slots=True)
class DemoRun:
    """Posts the requests against a running stack and follows them."""

    client: Client
    starter_url: str
    stand_ins: StandIns
    requests: Sequence[DemoRequest]
    tracked: list[Tracked] = field(init=False)
    duplicates: int = 0

    def __post_init__(self) -> None:
        """Track every request."""
        self.tracked = [Tracked(request) for request in self.requests]

    async def run(self, patience_s: float) -> None:
        """Post everything, wait until all is settled or `patience_s` seconds are over, then read what came of it."""
        limits = httpx.Limits(max_connections=16)
        async with httpx.AsyncClient(trust_env=False, timeout=15.0, limits=limits) as http:
            watcher = asyncio.create_task(self._watch_stages())
            try:
                async with asyncio.timeout(patience_s):
                    await asyncio.gather(*(self._see_through(http, one) for one in self.tracked))
            except TimeoutError:
                for one in self.tracked:
                    one.problem = one.problem or (None if one.outcome else "not settled in time")
            finally:
                watcher.cancel()
            await self._read_stand_ins(http)

    async def _see_through(self, http: httpx.AsyncClient, one: Tracked) -> None:
        begun, one.posted_at = time.monotonic(), time.time()
        answer = await self._post(http, one)
        if answer is None:
            return
        one.acknowledge_ms = (time.monotonic() - begun) * 1000
        one.stage, one.status = "acknowledged", answer.status_code
        if not answer.is_success:
            one.problem = f"refused: HTTP {answer.status_code} {answer.text[:120]}"
            return
        for _ in range(one.request.posts - 1):
            await self._post_again(http, one, answer)
        await self._await_outcome(one)

    async def _post(self, http: httpx.AsyncClient, one: Tracked) -> httpx.Response | None:
        url = f"{self.starter_url}/webhook/{one.request.route.path}"
        try:
            return await http.post(url, json=one.request.body, headers=dict(one.request.headers))
        except httpx.HTTPError as error:
            one.problem = f"not acknowledged: {type(error).__name__}"
            return None

    async def _post_again(self, http: httpx.AsyncClient, one: Tracked, first: httpx.Response) -> None:
        again = await self._post(http, one)
        if again is None or again.content != first.content:
            one.problem = "the repeated post got another answer"
            return
        one.deduplicated += 1

    async def _await_outcome(self, one: Tracked) -> None:
        handle = self.client.get_workflow_handle(one.workflow_id, result_type=ImageGenerationResult)
        try:
            result = await handle.result()
            one.outcome, one.stage = str(result.outcome), str(result.outcome)
            one.image = result.generated.images[0].sha256 if result.generated else None
        except WorkflowFailureError as error:
            one.outcome, one.stage = "failed", "failed"
            one.problem = str(error.cause)

    async def _watch_stages(self) -> None:
        by_id = {one.workflow_id: one for one in self.tracked}
        while True:
            try:
                async for execution in self.client.list_workflows(f"{ROUTE.name} IS NOT NULL", limit=500):
                    one = by_id.get(execution.id)
                    if one is not None and one.outcome is None:
                        one.stage = execution.typed_search_attributes.get(STAGE) or one.stage
            except RPCError:
                one = None  # The display catches up with the next look.
            await asyncio.sleep(0.5)

    async def _read_stand_ins(self, http: httpx.AsyncClient) -> None:
        received = (await http.get(f"{self.stand_ins.receiver_url}/received")).json()
        journal = (await http.get(f"{self.stand_ins.image_url}/journal")).json()
        for one in self.tracked:
            self._read_one(one, received["outcomes"], journal["calls"])
        runs = [await self._runs(one) for one in self.tracked if one.status is not None]
        self.duplicates = count_duplicates(received, journal["paid"], runs)

    def _read_one(self, one: Tracked, outcomes: list[dict[str, Any]], calls: list[dict[str, Any]]) -> None:
        correlation = header_value(one.request.request_id)
        one.attempts = sum(call["correlation_id"] == correlation for call in calls)
        arrived = [outcome for outcome in outcomes if outcome["request_id"] == one.request.request_id]
        if arrived:
            one.delivered_ms = (float(arrived[0]["at"]) - one.posted_at) * 1000
        if one.outcome and len(arrived) != 1:
            one.problem = f"{len(arrived)} outcomes arrived in place of one"
        elif arrived and one.image and arrived[0]["image_sha256"] != one.image:
            one.problem = "another image arrived than was stored"

    async def _runs(self, one: Tracked) -> int:
        return (await self.client.count_workflows(f'WorkflowId = "{one.workflow_id}"')).count


def count_duplicates(received: Mapping[str, Any], paid: Mapping[str, int], runs: Sequence[int]) -> int:
    """What happened more than once: outcomes (the receiver's report), images (by request), runs (per request)."""
    outcomes = int(received["duplicates"]) + int(received["conflicts"])
    return outcomes + sum(count - 1 for count in (*paid.values(), *runs) if count > 1)
