"""Blobs in a local directory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from runtime.blob_store import BlobEntry, checked, folder

_FOLDER_TRIES = 20


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
        """Remove the value, and the folders that it leaves empty."""
        await asyncio.to_thread(self._delete, self._path(key))

    async def stat(self, key: str) -> BlobEntry | None:
        """Size and modification time of the value, or None."""
        path = self._path(key)
        try:
            found = await asyncio.to_thread(path.stat)
        except FileNotFoundError:
            return None
        return BlobEntry(key, found.st_size, found.st_mtime)

    async def list(self, prefix: str, after: str = "") -> AsyncIterator[BlobEntry]:
        """All values below a folder in the order of their keys; one directory at a time is held in memory."""
        waiting: list[BlobEntry | str] = [folder(prefix)]
        while waiting:
            name = waiting.pop()
            if isinstance(name, BlobEntry):
                yield name
                continue
            waiting += reversed(await asyncio.to_thread(_entries, self._root, name, after))

    def _path(self, key: str) -> Path:
        return self._root / checked(key)

    def _delete(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        # Where a folder is not empty, gone already, or has just been filled.
        with contextlib.suppress(OSError):
            for parent in path.parents:
                if parent == self._root:
                    return
                parent.rmdir()

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


def _entries(root: Path, name: str, after: str) -> list[BlobEntry | str]:
    """The values and folders of one folder, in the order of all the keys below them."""
    found: dict[str, BlobEntry | str] = {}
    with contextlib.suppress(FileNotFoundError), os.scandir(root / name) as entries:
        for entry in entries:
            key = f"{name}/{entry.name}" if name else entry.name
            # Parts begin with a dot: they are no values.
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                if f"{key}/" > after or after.startswith(f"{key}/"):
                    found[f"{key}/"] = key
            elif key > after:
                # Deleted since the directory was read: not there.
                with contextlib.suppress(FileNotFoundError):
                    known = entry.stat()
                    found[key] = BlobEntry(key, known.st_size, known.st_mtime)
    return [found[key] for key in sorted(found)]


def _finished_file(directory: Path, data: bytes) -> Path:
    descriptor, name = _new_part(directory)
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


def _new_part(directory: Path) -> tuple[int, str]:
    for _ in range(_FOLDER_TRIES):
        # A deletion may take the empty folder away in between: before the part is made, or while mkdir looks at it.
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            directory.mkdir(parents=True, exist_ok=True)
            return tempfile.mkstemp(dir=directory, prefix=".part-")
    directory.mkdir(parents=True, exist_ok=True)
    return tempfile.mkstemp(dir=directory, prefix=".part-")


def _sync_directory(directory: Path) -> None:
    # A rename or link is durable only once its directory is.
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except FileNotFoundError:
        # Deleted since, with all that was in it.
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
