"""Code that cannot go on with what was recorded. Alone in its module, since the sandbox imports it anew."""

from __future__ import annotations

from temporalio import workflow

from contracts.names import WORKFLOW
from contracts.requests import ImageGenerationInput


@workflow.defn(name=WORKFLOW)
class Otherwise:
    """Decides otherwise than what was recorded."""

    @workflow.run
    async def run(self, _order: ImageGenerationInput) -> None:
        await workflow.sleep(1)


@workflow.defn(name=WORKFLOW)
class Crashing:
    """Cannot take its first step."""

    @workflow.run
    async def run(self, _order: ImageGenerationInput) -> None:
        raise KeyError("a bug")
