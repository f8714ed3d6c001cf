"""The selection of a batch in the store: pages of letters, fixed at its start, and the audit of each decision.

dead-letter-batches/<batch>/<attempt>/letters-000000.jsonl
dead-letter-batches/<batch>/<attempt>/decided-000000.jsonl
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from temporalio.exceptions import ApplicationError

from contracts.dead_letter_batches import PAGE, Chosen
from contracts.model import Frozen
from runtime.blobs import BlobStore

ROOT = "dead-letter-batches"
KEPT_S = 90 * 24 * 3600.0
"""How long a selection and its audit are kept."""


class Selections:
    """Writes and reads them."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._pages: dict[str, tuple[Chosen, ...]] = {}

    async def write(self, folder: str, first: int, page: Sequence[Chosen]) -> None:
        """Write the page whose first letter has that place; raises OSError."""
        await self._blobs.write(_key(folder, "letters", first), _lines(page))

    async def read(self, folder: str, first: int, count: int) -> list[Chosen]:
        """Letters in a row by their places; raises OSError, and `ApplicationError` where they are gone."""
        return [await self.letter(folder, place) for place in range(first, first + count)]

    async def letter(self, folder: str, place: int) -> Chosen:
        """One letter by its place; raises OSError, and `ApplicationError` where it is gone."""
        page = await self._page(folder, place - place % PAGE)
        try:
            return page[place % PAGE]
        except IndexError:
            raise _lost(folder) from None

    async def note(self, folder: str, first: int, done: Iterable[Frozen]) -> None:
        """Write what became of the decisions from that place on; the first writing counts. Raises OSError."""
        await self._blobs.create(_key(folder, "decided", first), _lines(done))

    async def forget_old(self) -> None:
        """Delete what is older than `KEPT_S`."""
        old = time.time() - KEPT_S
        async for entry in self._blobs.list(ROOT):
            if entry.modified_at < old:
                await self._blobs.delete(entry.key)

    async def _page(self, folder: str, first: int) -> tuple[Chosen, ...]:
        key = _key(folder, "letters", first)
        if key not in self._pages:
            data = await self._blobs.read(key)
            if data is None:
                raise _lost(folder)
            self._pages.clear()
            self._pages[key] = tuple(Chosen.model_validate_json(line) for line in data.splitlines())
        return self._pages[key]


def _key(folder: str, kind: str, first: int) -> str:
    return f"{folder}/{kind}-{first:06}.jsonl"


def _lines(rows: Iterable[Frozen]) -> bytes:
    return b"".join(row.model_dump_json().encode() + b"\n" for row in rows)


def _lost(folder: str) -> ApplicationError:
    return ApplicationError(f"the selection {folder} is not in the store any more", non_retryable=True)
