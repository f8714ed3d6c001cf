"""Who listens for one call to a test URL, in the memory of one starter. Nothing that is heard starts anything."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from contracts.model import Frozen
from starter.wire.routing import Webhook

LISTENERS = 100
"""Listeners that are kept; the oldest are forgotten first."""
LONGEST_S = 3600.0
"""Seconds that one may listen."""
_KEPT_REFUSALS = 10

Standing = Literal["waiting", "heard", "over"]


class HeardCall(Frozen):
    """One call to a test URL: what came, how the dialect read it, what its sender was answered. No secret is in it."""

    route: str
    dialect: str
    method: str
    path: str
    query: dict[str, JsonValue]
    headers: tuple[tuple[str, str], ...]
    body: JsonValue
    request_id: str
    fields: dict[str, JsonValue]
    """The canonical request; empty where the dialect found problems."""
    problems: tuple[str, ...]
    callback_url: str | None = None
    service: str
    """The image service that would be asked."""
    status: int
    """Of our answer."""
    answer: str


class RefusedCall(Frozen):
    """One call that was turned away, which does not end the listening."""

    method: str
    status: int
    reason: str
    answer: str


@dataclass(slots=True)
class Listener:
    """One who listens."""

    path: str
    webhooks: Mapping[str, Webhook]
    """By method."""
    until: float
    """The event loop's time."""
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    call: HeardCall | None = None
    refused: list[RefusedCall] = field(default_factory=list)
    replaced: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def standing(self, now: float) -> Standing:
        """Whether it still listens."""
        if self.call is not None:
            return "heard"
        return "over" if self.replaced or now >= self.until else "waiting"

    def hear(self, call: HeardCall) -> None:
        """The one call."""
        self.call = call
        self._news.set()

    def refuse(self, call: RefusedCall) -> None:
        """A call that did not count; the newest ten are kept."""
        self.refused = [*self.refused, call][-_KEPT_REFUSALS:]

    def end(self) -> None:
        """Stop listening."""
        self.replaced = True
        self._news.set()

    async def wait(self, seconds: float) -> None:
        """Return once it has ended, or after that many seconds."""
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(max(0.0, min(seconds, self.until - now))):
                await self._news.wait()
        except TimeoutError:
            return


class Listeners:
    """All listeners of one starter; a path has one at most."""

    def __init__(self) -> None:
        self._by_id: dict[str, Listener] = {}

    def open(self, path: str, webhooks: Mapping[str, Webhook], seconds: float) -> Listener:
        """Listen on a path; whoever listened there before is relieved."""
        before = self.at(path)
        if before is not None:
            before.end()
        while len(self._by_id) >= LISTENERS:
            self._by_id.pop(next(iter(self._by_id))).end()
        listener = Listener(path, webhooks, asyncio.get_running_loop().time() + min(seconds, LONGEST_S))
        self._by_id[listener.id] = listener
        return listener

    def at(self, path: str) -> Listener | None:
        """Whoever listens on the path now."""
        now = asyncio.get_running_loop().time()
        on_path = (one for one in self._by_id.values() if one.path == path and one.standing(now) == "waiting")
        return next(on_path, None)

    def get(self, listener_id: str) -> Listener | None:
        """The listener of that id, even if it is over."""
        return self._by_id.get(listener_id)

    def close(self, listener_id: str) -> None:
        """Forget a listener; an unknown one is no error."""
        listener = self._by_id.pop(listener_id, None)
        if listener is not None:
            listener.end()
