"""Runs the real workflow against tiny activities under the real names; each test has queues of its own."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from contracts import names, search_attributes
from contracts.accounts import Account, Limits, Standing
from contracts.decisions import Status
from contracts.errors import Failure, FailureClass, make_failure
from contracts.policies import Policies, StepPolicy
from contracts.requests import (
    DeliverInput,
    DeliveryReceipt,
    GeneratedImages,
    GenerateInput,
    Generation,
    ImageGenerationInput,
    ImageGenerationResult,
    ImageRequest,
    JobFinished,
    JobInput,
    JobReference,
    ReadRecordInput,
    RecordRead,
    RequestReference,
    StoredImage,
)
from workflows import WORKFLOWS, sandbox

IMAGE = StoredImage(sha256="ab" * 32, media_type="image/png", size=1234, width=64, height=64, seed=7)
IMAGES = GeneratedImages(service="flux", images=(IMAGE,))
MADE = Generation(generated=IMAGES)
JOB = JobReference(service="flux", job_id="job-1")
POLICY = StepPolicy(attempts=3, initial_s=0.05, maximum_s=0.1, timeout_s=5, deadline_s=60)

_T = TypeVar("_T")

Handle = WorkflowHandle[Any, ImageGenerationResult]


def failed(failure: FailureClass, message: str = "it failed") -> ApplicationError:
    """How an activity says that it is given up (activities/attempts.py)."""
    what = make_failure(failure, message)
    return ApplicationError(message, what, None, type=failure, non_retryable=True)


@dataclass
class Doubles:
    """Scripted activities: each call takes the next answer; the last one repeats."""

    generate: list[Generation | Exception] = field(default_factory=lambda: [MADE])
    deliver: list[Exception | None] = field(default_factory=lambda: [None])
    collect: list[GeneratedImages | Exception] = field(default_factory=lambda: [IMAGES])
    poll: list[JobFinished | Exception] = field(default_factory=lambda: [JobFinished(images=1)])
    read: list[RecordRead | Exception] = field(default_factory=lambda: [RecordRead(request=ImageRequest(prompt="x"))])
    generated: list[GenerateInput] = field(default_factory=list)
    delivered: list[DeliverInput] = field(default_factory=list)
    collected: list[JobInput] = field(default_factory=list)
    polled: list[JobInput] = field(default_factory=list)
    read_records: list[ReadRecordInput] = field(default_factory=list)
    cancelled: list[JobInput] = field(default_factory=list)
    ended: int = 0
    """Deliveries that are over, whatever their end."""
    hold: str | None = None
    """The activity that is held until `release`, heartbeating."""
    release: asyncio.Event = field(default_factory=asyncio.Event)

    @activity.defn(name=names.GENERATE)
    async def generate_image(self, call: GenerateInput) -> Generation:
        self.generated.append(call)
        await self._wait(names.GENERATE)
        return _next(self.generate)

    @activity.defn(name=names.POLL)
    async def poll_job(self, job: JobInput) -> JobFinished:
        self.polled.append(job)
        await self._wait(names.POLL)
        return _next(self.poll)

    @activity.defn(name=names.STORE)
    async def store_images(self, job: JobInput) -> GeneratedImages:
        self.collected.append(job)
        await self._wait(names.STORE)
        return _next(self.collect)

    @activity.defn(name=names.READ_RECORD)
    async def read_record(self, call: ReadRecordInput) -> RecordRead:
        self.read_records.append(call)
        await self._wait(names.READ_RECORD)
        return _next(self.read)

    @activity.defn(name=names.CANCEL_JOB)
    async def cancel_job(self, job: JobInput) -> None:
        self.cancelled.append(job)

    @activity.defn(name=names.DELIVER)
    async def deliver_callback(self, call: DeliverInput) -> DeliveryReceipt:
        self.delivered.append(call)
        try:
            await self._wait(names.DELIVER)
        finally:
            self.ended += 1
        _next(self.deliver)
        return DeliveryReceipt(http_status=200)

    async def _wait(self, name: str) -> None:
        while self.hold == name and not self.release.is_set():
            activity.heartbeat()
            await asyncio.sleep(0.02)

    @property
    def told(self) -> list[str]:
        """What Odoo was told, one word per delivery that it took: completed or the wire code."""
        return [call.outcome.failure.rule.code if call.outcome.failure else "completed" for call in self.delivered]


def _next(script: list[_T | Exception]) -> _T:
    answer = script.pop(0) if len(script) > 1 else script[0]
    if isinstance(answer, Exception):
        raise answer
    return answer


@dataclass(frozen=True)
class Bench:
    """A worker for one test and the means to start requests on it."""

    client: Client
    doubles: Doubles
    tag: str

    @property
    def service(self) -> str:
        return f"flux-{self.tag}"

    @property
    def other_service(self) -> str:
        return f"other-{self.tag}"

    def order(self, **changes: Any) -> ImageGenerationInput:
        fields: dict[str, Any] = {
            "reference": RequestReference(request_id=f"r-{self.tag}", dialect="event", correlation_id="c-1"),
            "route": "event",
            "odoo": f"odoo-{self.tag}",
            "service": self.service,
            "services": (self.service, self.other_service),
            "request": ImageRequest(prompt="a red bicycle", seed=7),
            "store_key": "00" * 32,
            "traceparent": f"00-{'1' * 32}-{'2' * 16}-01",
            "policies": policies(),
        }
        return ImageGenerationInput(**{**fields, **changes})

    async def start(self, **changes: Any) -> Handle:
        order = self.order(**changes)
        attributes = [
            SearchAttributePair(search_attributes.REQUEST_ID, order.reference.request_id),
            SearchAttributePair(search_attributes.STAGE, "generating"),
        ]
        return await self.client.start_workflow(
            names.WORKFLOW,
            order,
            id=f"event/{order.reference.request_id}",
            task_queue=self.tag,
            result_type=ImageGenerationResult,
            search_attributes=TypedSearchAttributes(attributes),
        )


def policies(**changes: Any) -> Policies:
    """Short policies."""
    fields = {"generate": POLICY, "deliver": POLICY, "park_s": 3600, "inline_limit": 10_000, "url_ttl_s": 600}
    return Policies(**{**fields, **changes})


@asynccontextmanager
async def bench(client: Client, doubles: Doubles) -> AsyncIterator[Bench]:
    """A bench with its workers running."""
    made = Bench(client, doubles, uuid.uuid4().hex[:10])
    jobs: list[Callable[..., Any]] = [doubles.poll_job, doubles.store_images, doubles.cancel_job]
    odoo: list[Callable[..., Any]] = [doubles.deliver_callback, doubles.read_record]
    workflows = Worker(
        client,
        task_queue=made.tag,
        workflows=WORKFLOWS,
        workflow_runner=sandbox(),
        activities=[doubles.deliver_callback],
        no_remote_activities=True,
    )
    served = {
        names.images_queue(made.service): [doubles.generate_image],
        names.images_queue(made.other_service): [doubles.generate_image],
        names.jobs_queue(made.service): jobs,
        names.callbacks_queue(f"odoo-{made.tag}"): odoo,
    }
    # Heartbeats are throttled; at the default an activity hears of its cancellation half a minute late.
    others = [
        Worker(client, task_queue=queue, activities=serves, max_heartbeat_throttle_interval=timedelta(milliseconds=100))
        for queue, serves in served.items()
    ]
    async with AsyncExitStack() as running:
        for worker in (workflows, *others):
            await running.enter_async_context(worker)
        yield made


async def start_account(here: Bench, concurrency: int) -> None:
    """Run the account of the bench's service, which grants slots."""
    await here.client.start_workflow(
        names.ACCOUNT_WORKFLOW,
        Account(service=here.service, standing=Standing(limits=Limits(concurrency=concurrency))),
        id=names.account_id(here.service),
        task_queue=here.tag,
    )


async def status(handle: Handle) -> Status:
    """The answer of the status query."""
    answer: Status = await handle.query(names.STATUS, result_type=Status)
    return answer


async def parked(handle: Handle, parking: int = 1) -> Failure:
    """Wait until the request is parked for the n-th time."""
    async with asyncio.timeout(20):
        while True:
            now = await status(handle)
            if now.parked is not None and now.parked.parking == parking:
                return now.parked.failure
            await asyncio.sleep(0.02)
