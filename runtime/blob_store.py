"""A small port for bytes under keys. Every back end fits the same tests."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

_KEY = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*")


@dataclass(frozen=True, slots=True)
class BlobEntry:
    """What a listing tells of one value."""

    key: str
    size: int
    """Bytes."""
    modified_at: float
    """Epoch seconds, by the store's clock."""


class BlobStore(Protocol):
    """Bytes under keys. Writes are atomic: a reader sees the whole value or none.

    What the store cannot do (disk full, service unreachable, access denied) is an OSError; a key that is none is a
    ValueError. Every call sees all calls that have returned before it, from whichever process.
    """

    async def read(self, key: str) -> bytes | None:
        """The value, or None."""
        ...

    async def write(self, key: str, data: bytes) -> None:
        """Set the value; its modification time is renewed also where the bytes are the same."""
        ...

    async def create(self, key: str, data: bytes) -> bool:
        """Set the value only where there is none; False where there is one. Of several callers exactly one wins."""
        ...

    async def delete(self, key: str) -> None:
        """Remove the value; one that is not there is no error."""
        ...

    async def stat(self, key: str) -> BlobEntry | None:
        """Size and modification time of the value, or None."""
        ...

    def list(self, prefix: str, after: str = "") -> AsyncIterator[BlobEntry]:
        """All values below a folder, such as "requests" or "images/ab" ("" = all), in the order of their keys.

        Only keys greater than `after`. Fetched in pages while it is read; what is written or deleted meanwhile may or
        may not appear.
        """
        ...


def image_key(digest: str) -> str:
    """The key of the image with that SHA-256."""
    return f"images/{digest[:2]}/{digest}"


def checked(key: str) -> str:
    """The key itself; a ValueError where it is none."""
    if not _KEY.fullmatch(key):
        message = f"not a blob key: {key!r}"
        raise ValueError(message)
    return key


def folder(prefix: str) -> str:
    """The prefix of a listing without its trailing slash; a ValueError where it is no folder."""
    return checked(prefix.removesuffix("/")) if prefix else ""
