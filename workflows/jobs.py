"""A job at an image service: waited for, collected, and cancelled where nobody wants it any more."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

from contracts import names
from contracts.requests import GeneratedImages, JobFinished, JobInput
from workflows import steps

RINGS = 5
"""How often a service's webhook may cut the wait for its job short; more only cost history."""


class Doorbell:
    """Rung by a service's own webhook: the job is worth a look. What the webhook said is not believed."""

    def __init__(self) -> None:
        self._rung = 0
        workflow.set_signal_handler(names.JOB_FINISHED, self._ring)

    def _ring(self) -> None:
        self._rung += 1

    async def cuts_short(self, waiting: asyncio.Task[Any]) -> bool:
        """Wait for the task or the bell; True where the bell rang first and the task was given up."""
        heard = self._rung
        await workflow.wait_condition(lambda: waiting.done() or self._rung > heard)
        if waiting.done() or heard >= RINGS:
            return False
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return True


async def finish(job: JobInput, bell: Doorbell) -> GeneratedImages:
    """The images of a job; raises `StepFailedError`. A job that is cancelled here is cancelled at its service."""
    try:
        if not workflow.patched("2026-11-poll-then-store"):
            return await steps.collect(job)
        await _wait(job, bell)
        return await steps.store(job)
    except BaseException as error:
        if is_cancelled_exception(error):
            await steps.cancel_job(job)
        raise


async def _wait(job: JobInput, bell: Doorbell) -> JobFinished:
    while True:
        waiting = asyncio.create_task(steps.poll(job))
        try:
            if not await bell.cuts_short(waiting):
                return await waiting
        except BaseException:
            # Not waited for, as histories have it; an end that nobody asks for would be logged as a lost error.
            waiting.add_done_callback(lambda task: task.cancelled() or task.exception())
            waiting.cancel()
            raise
