"""The attempts of one activity as Temporal makes them: heartbeat details carry over, the server's clock moves on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.attempts import run_attempt
from contracts.errors import Failure
from contracts.policies import StepPolicy

Result = TypeVar("Result")

BEGIN = datetime(2030, 1, 1, tzinfo=UTC)
POLICY = StepPolicy(attempts=4, initial_s=2, maximum_s=60, timeout_s=5, deadline_s=3600)


class Series(Generic[Result]):
    """Attempts of `work`, which runs inside an activity."""

    def __init__(self, work: Callable[[], Awaitable[Result]]) -> None:
        self._work = work
        self._details: list[object] = []
        self.now = BEGIN
        self.attempts = 0

    async def attempt(self) -> Result:
        """The next attempt; raises what Temporal would be told."""
        environment = ActivityEnvironment()
        self.attempts += 1
        environment.info = dataclasses.replace(
            environment.info,
            attempt=self.attempts,
            started_time=self.now,
            heartbeat_details=self._details,
            workflow_run_id="run-1",
        )
        environment.on_heartbeat = self._heartbeat
        result: Result = await environment.run(self._run)
        return result

    async def failing(self) -> ApplicationError:
        """The error of an attempt that must fail; the clock then moves on by the delay that it names."""
        with pytest.raises(ApplicationError) as caught:
            await self.attempt()
        self.now += caught.value.next_retry_delay or timedelta(0)
        return caught.value

    async def _run(self) -> Result:
        return await self._work()

    def _heartbeat(self, *details: object) -> None:
        # As it comes back from the server: plain JSON.
        self._details = [json.loads(getattr(detail, "model_dump_json")()) for detail in details]  # noqa: B009


def series(work: Callable[[], Awaitable[Result]], **policy: float) -> Series[Result]:
    """Attempts of `work` under `POLICY` with these changes."""
    chosen = POLICY.model_copy(update=policy)
    return Series(lambda: run_attempt(chosen, work))


def failure_of(error: ApplicationError) -> Failure:
    """What the workflow reads out of an error."""
    return Failure.model_validate(error.details[0])


def delay_s(error: ApplicationError) -> float:
    """The delay that an error names for the next attempt; an error without one ends the activity."""
    assert not error.non_retryable
    assert error.next_retry_delay is not None
    return error.next_retry_delay.total_seconds()
