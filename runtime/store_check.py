"""Whether the store keeps its promises. Asked before work begins: an answer that is paid for must find it usable."""

from __future__ import annotations

import uuid

from runtime.blobs import BlobStore, open_store
from runtime.store_settings import StoreSettings


class StoreUnusableError(Exception):
    """The store cannot be used. The message is one line that says what to do."""


async def usable_store(settings: StoreSettings) -> BlobStore:
    """The configured store, tried out; raises `StoreUnusableError`, `SecretMissingError`."""
    store = open_store(settings)
    try:
        await try_out(store)
    except OSError as error:
        raise StoreUnusableError(f"store: {_reason(error)}") from None
    return store


async def try_out(store: BlobStore) -> None:
    """Create, read, list and delete a value; raises `OSError`, and `StoreUnusableError` where a promise is broken."""
    folder = f"probes/{uuid.uuid4().hex}"
    key = f"{folder}/1"
    won = [await store.create(key, value) for value in (b"first", b"second")]
    try:
        read = await store.read(key)
        listed = [entry.key async for entry in store.list(folder)]
    finally:
        await store.delete(key)
    if won != [True, False] or read != b"first":
        raise StoreUnusableError(
            "store: the service ignores If-None-Match, so that images could be paid for twice: use one that honours it"
        )
    if listed != [key]:
        raise StoreUnusableError(
            "store: a value that was just written is not listed: use a strongly consistent service"
        )


def _reason(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason
