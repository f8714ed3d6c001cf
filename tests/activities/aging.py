"""A store whose values can be made old, and an order in which two of its users take turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from runtime.blobs import BlobEntry, BlobStore

_T = TypeVar("_T")


@dataclass
class AgingStore:
    """Passes everything on; `age` makes a value old until it is written again."""

    inner: BlobStore
    ages: dict[str, float] = field(default_factory=dict)
    """Key -> seconds."""

    def age(self, key: str, seconds: float) -> None:
        self.ages[key] = seconds

    async def read(self, key: str) -> bytes | None:
        return await self.inner.read(key)

    async def write(self, key: str, data: bytes) -> None:
        await self.inner.write(key, data)
        self.ages.pop(key, None)

    async def create(self, key: str, data: bytes) -> bool:
        created = await self.inner.create(key, data)
        if created:
            self.ages.pop(key, None)
        return created

    async def delete(self, key: str) -> None:
        await self.inner.delete(key)

    async def stat(self, key: str) -> BlobEntry | None:
        entry = await self.inner.stat(key)
        return entry and self._aged(entry)

    async def list(self, prefix: str, after: str = "") -> AsyncIterator[BlobEntry]:
        async for entry in self.inner.list(prefix, after):
            yield self._aged(entry)

    def _aged(self, entry: BlobEntry) -> BlobEntry:
        return replace(entry, modified_at=entry.modified_at - self.ages.get(entry.key, 0.0))

    async def keys(self) -> set[str]:
        return {entry.key async for entry in self.inner.list("")}


class Turns:
    """Lets two users of a store go on one operation at a time, in a given order; then both run free."""

    def __init__(self, order: str) -> None:
        self._order = list(order)
        self._done: set[str] = set()
        self._moved = asyncio.Condition()

    async def take(self, who: str, operate: Callable[[], Awaitable[_T]]) -> _T:
        """Do one operation once it is this user's turn."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._next() in {who, None})
            result = await operate()
            if self._order:
                self._order.pop(0)
            self._moved.notify_all()
        return result

    async def leave(self, who: str) -> None:
        """This user has come to its end."""
        async with self._moved:
            self._done.add(who)
            self._moved.notify_all()

    async def wait_for_end(self, who: str, of: str) -> None:
        """Stand back until the other user has come to its end."""
        async with self._moved:
            self._order = [each for each in self._order if each != who]
            self._moved.notify_all()
            await self._moved.wait_for(lambda: of in self._done)

    def _next(self) -> str | None:
        while self._order and self._order[0] in self._done:
            self._order.pop(0)
        return self._order[0] if self._order else None


@dataclass
class TurnTaker:
    """One user's view of a store whose users take turns."""

    inner: AgingStore
    turns: Turns
    who: str

    async def read(self, key: str) -> bytes | None:
        return await self.turns.take(self.who, lambda: self.inner.read(key))

    async def write(self, key: str, data: bytes) -> None:
        await self.turns.take(self.who, lambda: self.inner.write(key, data))

    async def create(self, key: str, data: bytes) -> bool:
        return await self.turns.take(self.who, lambda: self.inner.create(key, data))

    async def delete(self, key: str) -> None:
        await self.turns.take(self.who, lambda: self.inner.delete(key))

    async def stat(self, key: str) -> BlobEntry | None:
        return await self.turns.take(self.who, lambda: self.inner.stat(key))

    def list(self, prefix: str, after: str = "") -> AsyncIterator[BlobEntry]:
        return self.inner.list(prefix, after)
