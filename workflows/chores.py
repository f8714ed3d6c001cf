"""What a long-lived workflow has to do: a call to work, and the tasks that must end before its run does."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from temporalio import workflow


class Chores:
    """The work of one run."""

    def __init__(self) -> None:
        self.called = True
        """Whether there is something to look at."""
        self._busy: set[asyncio.Task[None]] = set()
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at = 0.0

    @property
    def busy(self) -> bool:
        """Whether a task is under way."""
        return bool(self._busy)

    def call(self, *, when: bool = True) -> None:
        """Have the state looked at, once all that arrived together has been taken."""
        self.called = self.called or when

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task beside."""
        task = asyncio.create_task(work)
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    def call_at(self, moment: float | None) -> None:
        """Call at that time, in epoch seconds, at the latest.

        A later moment than before leaves the timer as it is: it calls once for nothing, and no event is spent.
        """
        if moment is None or (self._alarm is not None and not self._alarm.done() and self._alarm_at <= moment):
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = moment
        self._alarm = asyncio.create_task(self._ring(moment))

    async def _ring(self, moment: float) -> None:
        await workflow.sleep(max(moment - workflow.time(), 0.001), summary="the next deadline")
        self.call()
