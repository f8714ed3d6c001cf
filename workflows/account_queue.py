"""What the server holds the queue of an account to: written again whenever something else is wanted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

from contracts import names
from contracts.accounts import SET_QUEUE_RATE, QueueRate, Standing
from workflows.chores import Chores

WRITE_S = 60.0
"""Seconds one write may take before it is decided anew what is wanted."""


class AccountQueue:
    """The queue of one account; `written` is what the server was last told."""

    def __init__(self, service: str, written: QueueRate | None, chores: Chores) -> None:
        self._service = service
        self.written = written
        self._chores = chores
        self._writing = False

    def act(self, wanted: Callable[[], Standing]) -> None:
        """Write the rate that the account's standing leads to, where it is not written yet."""
        if self.written != self._rate(wanted()) and not self._writing:
            self._writing = True
            self._chores.start(self._write(wanted))

    def distrust(self) -> None:
        """Write again: someone may have set the queue by other means."""
        self.written = None
        self._chores.call()

    async def _write(self, wanted: Callable[[], Standing]) -> None:
        rate = self._rate(wanted())
        try:
            await workflow.execute_activity(
                SET_QUEUE_RATE,
                rate,
                task_queue=names.MAINTENANCE_QUEUE,
                start_to_close_timeout=timedelta(seconds=10),
                schedule_to_close_timeout=timedelta(seconds=WRITE_S),
                retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=5)),
                summary=f"{self._service}: {_in_words(rate.rate_per_second)}",
            )
        except ActivityError:
            workflow.logger.warning("queue_rate_not_set", extra={"service": self._service})
        else:
            self.written = rate
        # What is wanted may have changed meanwhile.
        self._writing = False
        self._chores.call()

    def _rate(self, standing: Standing) -> QueueRate:
        resting = standing.cooldown_until is not None
        return QueueRate(
            queue=names.images_queue(self._service),
            rate_per_second=0.0 if resting else standing.rate_per_second,
            weights=standing.live.weights or {},
            reason="cooldown" if resting else "limits of the account",
        )


def _in_words(rate_per_second: float | None) -> str:
    if rate_per_second is None:
        return "no rate"
    return f"{rate_per_second:g} a second" if rate_per_second else "hold all calls back"
