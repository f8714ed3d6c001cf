"""How the local directory keeps what a blob store promises."""

from __future__ import annotations

import asyncio
import multiprocessing
from pathlib import Path

import pytest

from runtime.blobs import BlobStore, LocalBlobStore
from tests.runtime.blob_contract import CALLERS, BlobStoreContract


class TestLocalBlobStore(BlobStoreContract):
    """The directory."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> BlobStore:
        return LocalBlobStore(tmp_path / "made" / "when" / "needed")

    async def test_a_half_written_file_is_invisible(self, tmp_path: Path) -> None:
        # What a process leaves that dies between opening its file and naming it.
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / ".part-died").write_bytes(b"half")
        store = LocalBlobStore(tmp_path)
        assert await store.read("a/b") is None
        assert await store.create("a/b", b"whole")
        assert await store.read("a/b") == b"whole"

    async def test_no_part_is_left_behind(self, tmp_path: Path) -> None:
        store = LocalBlobStore(tmp_path)
        await store.write("key", b"1")
        await store.create("key", b"2")
        await store.create("other", b"3")
        assert names(tmp_path) == {"key", "other"}

    async def test_a_failed_write_leaves_the_old_value_and_no_part(self, tmp_path: Path) -> None:
        store = LocalBlobStore(tmp_path)
        (tmp_path / "taken").mkdir()
        with pytest.raises(OSError, match="taken"):
            await store.write("taken", b"value")
        assert not await store.create("taken", b"value")
        assert names(tmp_path / "taken") == set()

    async def test_no_empty_folder_is_left_behind(self, tmp_path: Path) -> None:
        store = LocalBlobStore(tmp_path / "store")
        await store.write("a/b/c/1", b"")
        await store.write("a/2", b"")
        await store.delete("a/b/c/1")
        assert names(tmp_path / "store" / "a") == {"2"}
        await store.delete("a/2")
        assert names(tmp_path / "store") == set()

    async def test_folders_that_come_and_go_lose_no_value(self, tmp_path: Path) -> None:
        store = LocalBlobStore(tmp_path)

        async def come_and_go(number: int) -> None:
            for turn in range(50):
                key = f"a/b/{number}-{turn}"
                assert await store.create(key, b"value")
                assert await store.read(key) == b"value"
                await store.delete(key)

        await asyncio.gather(*(come_and_go(number) for number in range(8)))

    async def test_of_many_processes_exactly_one_wins(self, tmp_path: Path) -> None:
        context = multiprocessing.get_context("spawn")
        with context.Pool(4) as pool:
            won = await asyncio.to_thread(pool.starmap, create_in_process, [(tmp_path, n) for n in range(CALLERS)])
        assert won.count(True) == 1
        assert await LocalBlobStore(tmp_path).read("marker") == str(won.index(True)).encode()


def names(directory: Path) -> set[str]:
    """What lies in a directory."""
    return {path.name for path in directory.iterdir()}


def create_in_process(root: Path, number: int) -> bool:
    """One creator of its own process."""
    return asyncio.run(LocalBlobStore(root).create("marker", str(number).encode()))
