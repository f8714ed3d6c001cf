"""The real `generate-image` and `collect-images` over a scripted service and a store of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temporalio.exceptions import ApplicationError

from activities.generation import GenerationActivities
from activities.records import Marker, Records
from activities.services.base import ServiceError
from contracts.errors import Failure, FailureClass, Retry, make_failure
from contracts.policies import StepPolicy
from contracts.requests import (
    GeneratedImages,
    GenerateInput,
    Generation,
    ImageRequest,
    JobInput,
    RequestReference,
)
from runtime.blobs import BlobStore, LocalBlobStore
from tests.activities.doubles import JOB, ScriptedService
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


@dataclass
class Desk:
    """A service, a store, and the activities over them."""

    root: Path
    service: ScriptedService = field(default_factory=ScriptedService)
    settings: Mapping[str, Any] = field(default_factory=dict)
    blobs: BlobStore | None = None

    @property
    def activities(self) -> GenerationActivities:
        """As a worker that has just started has them."""
        services = {"flux": self.service}
        configured = {"flux": settings(**{"kind": "flux_lora", **self.settings})}
        return GenerationActivities(services, configured, Records(self.blobs or LocalBlobStore(self.root)))

    @property
    def records(self) -> Records:
        """What really is in the store."""
        return Records(LocalBlobStore(self.root))

    def generating(self, call: GenerateInput | None = None) -> Series[Generation]:
        """Attempts of `generate-image`."""
        asked = call or generate_input()
        return Series(lambda: self.activities.generate_image(asked))

    def collecting(self) -> Series[GeneratedImages]:
        """Attempts of `collect-images`."""
        job = JobInput(call=generate_input(), job=JOB)
        return Series(lambda: self.activities.collect_images(job))

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
