"""What every blob store promises, and how the local directory keeps it."""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
from pathlib import Path

import pytest

from runtime.blobs import BlobStore, LocalBlobStore

CALLERS = 20


class BlobStoreContract:
    """The promises. A back end's test class inherits them and gives a fresh `store`."""

    async def test_what_was_written_is_read(self, store: BlobStore) -> None:
        await store.write("a/b.png", b"\x00content\xff")
        assert await store.read("a/b.png") == b"\x00content\xff"

    async def test_nothing_is_read_as_none(self, store: BlobStore) -> None:
        assert await store.read("a/b.png") is None

    async def test_an_empty_value_is_a_value(self, store: BlobStore) -> None:
        await store.write("empty", b"")
        assert await store.read("empty") == b""
        assert not await store.create("empty", b"other")

    async def test_a_second_write_replaces_the_first(self, store: BlobStore) -> None:
        await store.write("key", b"a longer first value")
        await store.write("key", b"second")
        assert await store.read("key") == b"second"

    async def test_keys_do_not_touch_each_other(self, store: BlobStore) -> None:
        await store.write("a/1", b"one")
        await store.write("a/2", b"two")
        await store.delete("a/1")
        assert await store.read("a/2") == b"two"

    async def test_create_never_replaces(self, store: BlobStore) -> None:
        assert await store.create("key", b"first")
        assert not await store.create("key", b"second")
        assert await store.read("key") == b"first"

    async def test_create_after_delete_wins_again(self, store: BlobStore) -> None:
        assert await store.create("key", b"first")
        await store.delete("key")
        assert await store.create("key", b"second")
        assert await store.read("key") == b"second"

    async def test_of_many_creators_exactly_one_wins(self, store: BlobStore) -> None:
        values = [f"caller {number}".encode() for number in range(CALLERS)]
        won = await asyncio.gather(*(store.create("marker", value) for value in values))
        assert won.count(True) == 1
        assert await store.read("marker") == values[won.index(True)]

    async def test_readers_see_whole_values_only(self, store: BlobStore) -> None:
        values = [bytes([number]) * 200_000 for number in range(CALLERS)]
        await store.write("key", values[0])
        written = asyncio.gather(*(store.write("key", value) for value in values))
        seen = [await store.read("key") for _ in range(100)]
        await written
        assert set(seen) <= set(values)
        assert await store.read("key") in values

    async def test_delete_twice_is_no_error(self, store: BlobStore) -> None:
        await store.write("key", b"value")
        await store.delete("key")
        await store.delete("key")
        await store.delete("never/was/there")
        assert await store.read("key") is None

    @pytest.mark.parametrize(
        "key",
        ["", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", ".part-a", "a/.b", "A", "a b", "a\n", "a\\b",
         "ä", "a\x00", "-a"],
    )  # fmt: skip
    async def test_bad_keys_are_refused_everywhere(self, key: str, store: BlobStore) -> None:
        for call in (store.read(key), store.write(key, b""), store.create(key, b""), store.delete(key)):
            with pytest.raises(ValueError, match="not a blob key"):
                await call

    @pytest.mark.parametrize("key", ["a", "0", "a.b-c_d", "sha256/" + hashlib.sha256(b"").hexdigest(), "a/b/c/d/e"])
    async def test_good_keys_are_taken(self, key: str, store: BlobStore) -> None:
        await store.write(key, b"value")
        assert await store.read(key) == b"value"


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
