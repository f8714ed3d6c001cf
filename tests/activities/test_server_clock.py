"""The server's clock as workers go by it: one that is set back holds nothing up for good."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest

from activities.reservations import NoMomentError, Reservations, ServerClock
from contracts.accounts import Reserve, Reserved


@dataclass
class Server:
    """Grants each moment at once, by a clock that may be set; counts what it is asked."""

    ahead_s: float = 0.0
    asked: list[int] = field(default_factory=list)

    @property
    def now(self) -> float:
        return 1_900_000_000.0 + time.monotonic() + self.ahead_s

    async def reserve(self, wanted: Reserve) -> Reserved:
        self.asked.append(wanted.count)
        now = self.now
        return Reserved(moments=(now,) * wanted.count, now=now, retry_in_s=0.0)


async def _patiently(reservations: Reservations) -> int:
    """How often the worker had to come back until a call could leave."""
    for times in range(20):
        try:
            await reservations.wait()
        except NoMomentError:
            continue
        return times
    raise AssertionError("no call ever leaves")


async def test_calls_leave_again_after_the_server_s_clock_was_set_back() -> None:
    server = Server(ahead_s=60.0)
    reservations = Reservations(ServerClock(), server.reserve)
    await reservations.wait()
    server.ahead_s = 0.0
    assert await _patiently(reservations) > 0
    await reservations.wait()


def test_what_arrived_fastest_comes_closest() -> None:
    clock, server = ServerClock(), Server()
    for late in (0.5, 0.2, 0.4):
        clock.observe(server.now - late)
    assert clock.now() - server.now == pytest.approx(-0.2, abs=0.1)
