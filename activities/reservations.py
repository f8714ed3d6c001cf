"""Waiting for the moment at which a call under a strict rate may leave."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime

from contracts.accounts import Reserve, Reserved
from contracts.circuits import SPREAD_S

AHEAD_S = 2.0
"""Seconds a call waits for its moment in the slot of a worker; one that must wait longer comes back later."""
_TRIES = 5
_BLOCK = 1000
_HEARD = 20
"""How many of the last answers say how late what the server dates arrives: a clock that is set back is found out."""


class NoMomentError(Exception):
    """No moment was to be had soon enough: ask again in `retry_in_s`."""

    def __init__(self, retry_in_s: float) -> None:
        super().__init__("no moment was to be had")
        self.retry_in_s = retry_in_s


class ServerClock:
    """The Temporal server's time, by which workers on hosts with different clocks agree.

    Everything the server has dated is late when it arrives; what arrived fastest comes closest.
    """

    def __init__(self) -> None:
        self._offsets: deque[float] = deque(maxlen=_HEARD)

    def observe(self, dated: datetime | float) -> None:
        """Take note of something that the server dated before it sent it."""
        server = dated if isinstance(dated, float) else dated.timestamp()
        self._offsets.append(server - time.monotonic())

    def now(self) -> float:
        """Epoch seconds; this host's own until the server has been heard."""
        return max(self._offsets) + time.monotonic() if self._offsets else time.time()


class Reservations:
    """The reservations of one worker for one account: calls that wait together ask together."""

    def __init__(self, clock: ServerClock, ask: Callable[[Reserve], Awaitable[Reserved]]) -> None:
        self._clock = clock
        self._ask = ask
        self._waiting: list[asyncio.Future[float]] = []
        self._asking: asyncio.Task[None] | None = None

    async def wait(self) -> None:
        """Return when the call may leave; raises `NoMomentError`, and what asking raises."""
        for _ in range(_TRIES):
            moment = await self._moment()
            await asyncio.sleep(max(0.0, moment - self._clock.now()))
            # One that was slept through is lost: to leave later would crowd another second.
            if self._clock.now() <= moment + SPREAD_S:
                return
        raise NoMomentError(1.0)

    async def _moment(self) -> float:
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_for_all())
        return await future

    async def _ask_for_all(self) -> None:
        while batch := [future for future in self._waiting[:_BLOCK] if not future.done()]:
            del self._waiting[:_BLOCK]
            try:
                answer = await self._ask(Reserve(count=len(batch), within_s=AHEAD_S))
            except Exception as error:  # noqa: BLE001 - each of those who wait gets it
                _fail(batch, error)
            else:
                self._clock.observe(answer.now)
                _hand_out(batch, answer)


def _hand_out(batch: list[asyncio.Future[float]], answer: Reserved) -> None:
    open_ = [future for future in batch if not future.done()]
    for future, moment in zip(open_, answer.moments, strict=False):
        future.set_result(moment)
    _fail(open_[len(answer.moments) :], NoMomentError(answer.retry_in_s))


def _fail(batch: list[asyncio.Future[float]], error: Exception) -> None:
    for future in batch:
        if not future.done():
            future.set_exception(error)
