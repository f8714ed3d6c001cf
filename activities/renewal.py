"""Using what is old makes it young again, so that the retention sweep leaves it: see contracts/retention.py."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from contracts.retention import SETTLED_S, announcement_key, is_announced, needs_renewal, request_folder
from runtime.blobs import BlobStore, image_key


async def settled() -> None:
    """Wait as long as an announced deletion may take."""
    await asyncio.sleep(SETTLED_S)


class Renewals:
    """Renews records and images of one store. `settle` waits until an announced deletion has happened or never will."""

    def __init__(self, blobs: BlobStore, settle: Callable[[], Awaitable[None]] = settled) -> None:
        self._blobs = blobs
        self._settle = settle

    async def request(self, store_key: str) -> None:
        """Keep the records of a request for a whole retention from now on."""
        # A value of its own: writing a record again could undo what another attempt has just noted in it.
        await self._blobs.write(f"{request_folder(store_key)}/used", b"")

    async def is_old(self, key: str) -> bool:
        """Whether the value is there and has to be renewed when it is used."""
        known = await self._blobs.stat(key)
        return known is not None and needs_renewal(known.modified_at, time.time())

    async def image(self, digest: str, data: bytes | None = None) -> None:
        """Keep an image for a whole retention from now on; one that is gone comes back where `data` has its bytes."""
        known = await self._blobs.stat(image_key(digest))
        if known is not None and not needs_renewal(known.modified_at, time.time()):
            return
        data = data if data is not None else await self._blobs.read(image_key(digest))
        if data is None:
            return
        await self._blobs.write(image_key(digest), data)
        if await self._deletion_may_come(digest):
            await self._settle()
            await self._blobs.write(image_key(digest), data)

    async def _deletion_may_come(self, digest: str) -> bool:
        announced = await self._blobs.stat(announcement_key(digest))
        return is_announced(announced.modified_at if announced else None, time.time())
