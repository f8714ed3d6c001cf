"""A small port for bytes under keys, and the local directory behind it. Other back ends must fit the same tests."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import tempfile
from pathlib import Path
from typing import Protocol

_KEY = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*")


class BlobStore(Protocol):
    """Bytes under keys. Writes are atomic: a reader sees the whole value or none."""

    async def read(self, key: str) -> bytes | None:
        """The value, or None."""
        ...

    async def write(self, key: str, data: bytes) -> None:
        """Set the value."""
        ...

    async def create(self, key: str, data: bytes) -> bool:
        """Set the value only where there is none; False where there is one. Of several callers exactly one wins."""
        ...

    async def delete(self, key: str) -> None:
        """Remove the value; one that is not there is no error."""
        ...


class LocalBlobStore:
    """A directory, shared by all processes of one host (or a shared volume with POSIX links and renames)."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def read(self, key: str) -> bytes | None:
        """The value, or None."""
        return await asyncio.to_thread(self._read, self._path(key))

    async def write(self, key: str, data: bytes) -> None:
        """Set the value by renaming a finished file."""
        await asyncio.to_thread(self._write, self._path(key), data)

    async def create(self, key: str, data: bytes) -> bool:
        """Set the value by linking a finished file, which fails where the key is taken."""
        return await asyncio.to_thread(self._create, self._path(key), data)

    async def delete(self, key: str) -> None:
        """Remove the value."""
        await asyncio.to_thread(self._path(key).unlink, missing_ok=True)

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            message = f"not a blob key: {key!r}"
            raise ValueError(message)
        return self._root / key

    @staticmethod
    def _read(path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        temporary = _finished_file(path.parent, data)
        temporary.replace(path)
        _sync_directory(path.parent)

    @staticmethod
    def _create(path: Path, data: bytes) -> bool:
        temporary = _finished_file(path.parent, data)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        _sync_directory(path.parent)
        return True


def _finished_file(directory: Path, data: bytes) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=directory, prefix=".part-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    return Path(name)


def _sync_directory(directory: Path) -> None:
    # A rename or link is durable only once its directory is.
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def image_key(digest: str) -> str:
    """The key of the image with that SHA-256."""
    return f"images/{digest[:2]}/{digest}"
