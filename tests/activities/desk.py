"""The real activities about images over a scripted service and a store of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temporalio.exceptions import ApplicationError

from activities.directory import Doorbell, ServiceDirectory
from activities.generation import Gate, GenerationActivities
from activities.jobs import JobActivities
from activities.ledger import Ledger
from activities.records import Marker, Records
from activities.services.base import ImageService, ServiceError
from activities.storing import Storing
from contracts.errors import Failure, FailureClass, Retry, make_failure
from contracts.policies import StepPolicy
from contracts.requests import (
    GeneratedImages,
    GenerateInput,
    Generation,
    ImageRequest,
    JobFinished,
    JobInput,
    RequestReference,
)
from contracts.spend import SpendCall, SpendState, calls_of
from runtime.blobs import BlobStore, LocalBlobStore
from runtime.settings import ServiceSettings
from tests.activities.doubles import JOB, ScriptedGate, ScriptedService
from tests.activities.series import Series, delay_s, failure_of
from tests.services.calls import TRACEPARENT, settings

POLICY = StepPolicy(attempts=8, initial_s=0.01, maximum_s=0.01, timeout_s=0.05, deadline_s=3600)


def refused(failure: FailureClass, message: str = "it failed", retry: Retry | None = None) -> ServiceError:
    """What an adapter raises."""
    return ServiceError(make_failure(failure, message, service="flux"), retry=retry)


def generate_input(generation: int = 1, **changes: Any) -> GenerateInput:
    """The input of `generate-image`."""
    fields: dict[str, Any] = {
        "reference": RequestReference(request_id="request-7", dialect="event"),
        "route": "event",
        "service": "flux",
        "request": ImageRequest(prompt="a harbour at dawn"),
        "store_key": "ab" * 32,
        "policy": POLICY,
        "traceparent": TRACEPARENT,
    }
    return GenerateInput(**{**fields, "generation": generation, **changes})


JOB_INPUT = JobInput(call=generate_input(), job=JOB)


@dataclass(frozen=True, slots=True)
class Made:
    """The activities as a worker that has just started has them."""

    generation: GenerationActivities
    jobs: JobActivities


def made(
    services: Mapping[str, ImageService],
    settings: Mapping[str, ServiceSettings],
    blobs: BlobStore,
    doorbell: Doorbell | None = None,
    gate: Gate | None = None,
) -> Made:
    """The activities over these services and this store."""
    records, ledger = Records(blobs), Ledger(blobs)
    directory = ServiceDirectory(services, settings, doorbell or Doorbell("http://127.0.0.1:9", None))
    storing = Storing(directory, records, ledger)
    generation = GenerationActivities(directory, records, ledger, storing, gate or ScriptedGate())
    return Made(generation, JobActivities(directory, records, storing))


@dataclass
class Desk:
    """A service, a store, and the activities over them."""

    root: Path
    service: Any = field(default_factory=ScriptedService)
    settings: Mapping[str, Any] = field(default_factory=dict)
    blobs: BlobStore | None = None
    doorbell: Doorbell | None = None
    gate: ScriptedGate = field(default_factory=ScriptedGate)

    @property
    def made(self) -> Made:
        """All activities, made anew."""
        configured = {"flux": settings(**{"kind": "flux_lora", **self.settings})}
        return made(
            {"flux": self.service}, configured, self.blobs or LocalBlobStore(self.root), self.doorbell, self.gate
        )

    @property
    def activities(self) -> GenerationActivities:
        """Those that pay."""
        return self.made.generation

    @property
    def records(self) -> Records:
        """What really is in the store."""
        return Records(LocalBlobStore(self.root))

    @property
    def ledger(self) -> Ledger:
        """What really is in the ledger."""
        return Ledger(LocalBlobStore(self.root))

    async def spent(self) -> list[SpendCall]:
        """What the ledger tells of all calls."""
        days = await self.ledger.days()
        return calls_of([entry for day in days for entry in await self.ledger.entries(day)])

    async def states(self) -> list[SpendState]:
        """The states of all entries, in the order of their meaning."""
        entries = [entry for day in await self.ledger.days() for entry in await self.ledger.entries(day)]
        order = list(SpendState)
        return sorted((entry.state for entry in entries), key=order.index)

    def generating(self, call: GenerateInput | None = None) -> Series[Generation]:
        """Attempts of `generate-image`."""
        asked = call or generate_input()
        return Series(lambda: self.made.generation.generate_image(asked))

    def polling(self, job: JobInput = JOB_INPUT) -> Series[JobFinished]:
        """Attempts of `poll-job`."""
        return Series(lambda: self.made.jobs.poll_job(job))

    def storing(self, job: JobInput = JOB_INPUT) -> Series[GeneratedImages]:
        """Attempts of `store-images`."""
        return Series(lambda: self.made.jobs.store_images(job))

    def collecting(self) -> Series[GeneratedImages]:
        """Attempts of `collect-images`."""
        return Series(lambda: self.made.jobs.collect_images(JOB_INPUT))

    async def images(self, generated: GeneratedImages | None) -> list[bytes | None]:
        """The stored bytes of the images."""
        assert generated is not None
        return [await self.records.image(image.sha256) for image in generated.images]

    async def marker(self) -> Marker | None:
        """The marker of the first generation."""
        return await self.records.marker(generate_input())


async def settled(series: Series[Generation], most: int = 60) -> Generation | Failure:
    """Attempt until there is a result or a failure for good, waiting as long as each attempt says."""
    for _ in range(most):
        try:
            return await series.attempt()
        except ApplicationError as error:
            if error.non_retryable:
                return failure_of(error)
            # No marker of these tests is valid for longer than a call's 50 ms.
            await asyncio.sleep(min(delay_s(error), 0.06))
    raise AssertionError(f"not settled after {most} attempts")
