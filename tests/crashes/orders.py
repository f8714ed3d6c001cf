"""Requests to post, and what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from pydantic import JsonValue

from contracts.identity import workflow_id
from operations.bodies import Ask, body_of
from operations.demo.configuration import ROUTES, DemoRoute

PAID, FREE = ROUTES[0], ROUTES[2]
"""Routes to a service whose calls cost money (flux), and to one whose calls do not (openai)."""
SLOW, BRIEF = "[slow]", "[brief]"
"""In a prompt: the image takes two seconds, or most of one."""
HELD = "held"
"""In a request id: the receiver leaves the first callbacks without an answer."""
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Order:
    """One webhook to post."""

    request_id: str
    route: DemoRoute
    body: Mapping[str, JsonValue]

    @property
    def workflow_id(self) -> str:
        return workflow_id(self.route.dialect, self.request_id)


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one request."""

    request_id: str
    runs: int
    state: str
    """The outcome, or "parked"."""
    cause: str | None
    """Of the dead letter."""
    paid: int
    """Images that the service made for it."""
    arrived: tuple[str, ...]
    """The status of each outcome that the receiver applied."""


def orders(route: DemoRoute, prompt: str, count: int, mark: str = "plain") -> list[Order]:
    """New requests of one route."""
    made = [f"{route.dialect}-{mark}-{uuid4().hex[:12]}" for _ in range(count)]
    return [Order(name, route, body_of(route.dialect, Ask(name, prompt, size="64x64"))) for name in made]


def strange(fates: Sequence[Fate], expected: Callable[[Fate], bool]) -> list[Fate]:
    """Those that are not as expected, for a message that shows them whole."""
    return [fate for fate in fates if not expected(fate)]


def completed_once(fate: Fate) -> bool:
    """One run, one payment, one outcome: the image."""
    return (fate.runs, fate.state, fate.paid, fate.arrived) == (1, "completed", 1, ("completed",))


def unknown_once(fate: Fate) -> bool:
    """One run, at most one payment, a dead letter that Odoo was told of once."""
    return (fate.runs, fate.state, fate.cause, fate.arrived) == (1, "parked", "OutcomeUnknown", ("failed",)) and (
        fate.paid <= 1
    )


async def until(true: Callable[[], Awaitable[object]], what: str) -> None:
    """Wait for it; fails with `what` when patience is over."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await true():
                await asyncio.sleep(0.05)
    except TimeoutError:
        message = f"waited {PATIENCE_S:.0f} s in vain: {what}"
        raise AssertionError(message) from None
