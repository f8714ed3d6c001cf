"""What every blob store promises; each back end's test class inherits it."""

from __future__ import annotations

import asyncio
import hashlib
import time

import pytest

from runtime.blobs import BlobStore

CALLERS = 16
KEYS = ("a/b/c", "a-b/c", "a.b/c", "ab/c", "a/b.c", "a/b-c/d", "a/z", "b/0/x", "b/1", "c")
"""Where the order of names and the order of keys differ: "-" and "." sort before "/"."""


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
        for call in (
            store.read(key), store.write(key, b""), store.create(key, b""), store.delete(key), store.stat(key)
        ):  # fmt: skip
            with pytest.raises(ValueError, match="not a blob key"):
                await call

    @pytest.mark.parametrize("key", ["a", "0", "a.b-c_d", "sha256/" + hashlib.sha256(b"").hexdigest(), "a/b/c/d/e"])
    async def test_good_keys_are_taken(self, key: str, store: BlobStore) -> None:
        await store.write(key, b"value")
        assert await store.read(key) == b"value"

    async def test_stat_tells_size_and_age(self, store: BlobStore) -> None:
        before = time.time()
        await store.write("a/b.png", b"12345")
        entry = await store.stat("a/b.png")
        assert entry is not None
        assert (entry.key, entry.size) == ("a/b.png", 5)
        # Some stores tell whole seconds.
        assert before - 1 <= entry.modified_at <= time.time() + 1
        assert await store.stat("a/c.png") is None

    async def test_the_same_bytes_again_make_it_young_again(self, store: BlobStore) -> None:
        await store.write("key", b"value")
        first = await store.stat("key")
        await asyncio.sleep(1.1)
        await store.write("key", b"value")
        second = await store.stat("key")
        assert first is not None
        assert second is not None
        assert second.modified_at > first.modified_at

    async def test_a_list_is_in_the_order_of_the_keys(self, store: BlobStore) -> None:
        keys = sorted(KEYS)
        for key in KEYS:
            await store.write(key, key.encode())
        assert [entry.key async for entry in store.list("")] == keys
        assert [entry.size async for entry in store.list("")] == [len(key) for key in keys]

    @pytest.mark.parametrize("folder", ["a", "a/", "a/b", "a-b", "ab", "not/there"])
    async def test_a_list_holds_one_folder(self, folder: str, store: BlobStore) -> None:
        for key in KEYS:
            await store.write(key, b"")
        below = folder.removesuffix("/") + "/"
        assert [entry.key async for entry in store.list(folder)] == sorted(k for k in KEYS if k.startswith(below))

    @pytest.mark.parametrize("after", [*sorted(KEYS), "a", "a/b", "b", "zz"])
    async def test_a_list_goes_on_after_a_key(self, after: str, store: BlobStore) -> None:
        for key in KEYS:
            await store.write(key, b"")
        assert [entry.key async for entry in store.list("", after)] == sorted(key for key in KEYS if key > after)
        later = sorted(key for key in KEYS if key.startswith("a/") and key > after)
        assert [entry.key async for entry in store.list("a", after)] == later

    async def test_an_empty_store_lists_nothing(self, store: BlobStore) -> None:
        assert [entry async for entry in store.list("")] == []

    async def test_what_goes_while_it_is_listed_is_no_error(self, store: BlobStore) -> None:
        for number in range(20):
            await store.write(f"a/{number:02}/b", b"")
        seen = []
        async for entry in store.list("a"):
            seen.append(entry.key)
            await store.delete(entry.key)
            await store.delete("a/19/b")
        assert seen[:19] == [f"a/{number:02}/b" for number in range(19)]
        assert [entry async for entry in store.list("a")] == []

    @pytest.mark.parametrize("folder", ["/", "/a", "..", "a/../b", "A", ".part-a"])
    async def test_bad_folders_are_refused(self, folder: str, store: BlobStore) -> None:
        with pytest.raises(ValueError, match="not a blob key"):
            _ = [entry async for entry in store.list(folder)]
