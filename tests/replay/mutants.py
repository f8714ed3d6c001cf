"""Negative controls: workflows that decide otherwise than the real one. Replay must refuse each of them."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

from contracts import names
from contracts.errors import FailureClass, make_failure
from contracts.requests import ImageGenerationInput, ImageGenerationResult, ImageOutcome, Outcome
from workflows import ImageGenerationWorkflow


@workflow.defn(name=names.WORKFLOW)
class AddedSleep(ImageGenerationWorkflow):
    """Waits before it begins."""

    @workflow.init
    def __init__(self, order: ImageGenerationInput) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: ImageGenerationInput) -> ImageGenerationResult:
        await workflow.sleep(1)
        return await super().run(order)


@workflow.defn(name=names.WORKFLOW)
class SwappedSteps(ImageGenerationWorkflow):
    """Delivers before it generates."""

    @workflow.init
    def __init__(self, order: ImageGenerationInput) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: ImageGenerationInput) -> ImageGenerationResult:
        await self._deliver(ImageOutcome(failure=make_failure(FailureClass.CANCELLED, "")))
        return await super().run(order)


@workflow.defn(name=names.WORKFLOW)
class RenamedActivity(ImageGenerationWorkflow):
    """Calls an activity of another name."""

    @workflow.init
    def __init__(self, order: ImageGenerationInput) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: ImageGenerationInput) -> ImageGenerationResult:
        return await super().run(order)

    async def _try_generating(self) -> ImageOutcome:
        await workflow.execute_activity("make-picture", start_to_close_timeout=timedelta(seconds=1))
        return ImageOutcome()


@workflow.defn(name=names.WORKFLOW)
class UnrecordedEnd(ImageGenerationWorkflow):
    """Goes the same way, but never says in the search attributes that the request has ended."""

    @workflow.init
    def __init__(self, order: ImageGenerationInput) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: ImageGenerationInput) -> ImageGenerationResult:
        await self._deliver(await self._generate())
        return ImageGenerationResult(outcome=Outcome.COMPLETED)


MUTANTS = (AddedSleep, SwappedSteps, RenamedActivity, UnrecordedEnd)
