"""An image that is stored at the very moment at which the sweep deletes it is never lost, whatever the order."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from activities.open_requests import OpenRequests
from activities.records import Records
from activities.renewal import Renewals
from activities.sweeping import Sweep
from contracts.identity import sha256_hex
from contracts.retention import SweepCursor
from runtime.blobs import BlobStore, LocalBlobStore, image_key, open_store
from tests.activities.aging import AgingStore, Turns, TurnTaker
from tests.runtime.s3_server import ACCESS_KEY, SECRET_KEY, bucket_settings, new_bucket, s3_server

OLD, RETENTION_S = 41 * 86_400.0, 40 * 86_400.0
DATA = b"the same bytes"
KEY = image_key(sha256_hex(DATA))
SWEEPING, STORING = 3, 4
"""Operations of each: announce, look, delete; create, look, write, look for an announcement."""

Store = Callable[[BlobStore, Turns], Awaitable[object]]


def orders() -> list[str]:
    """Every order in which the operations of the two can follow each other."""
    places = itertools.combinations(range(SWEEPING + STORING), SWEEPING)
    return ["".join("d" if at in chosen else "s" for at in range(SWEEPING + STORING)) for chosen in places]


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with s3_server() as url:
        yield url


async def as_we_do(blobs: BlobStore, turns: Turns) -> None:
    async def settle() -> None:
        await turns.wait_for_end("s", of="d")

    await Records(blobs, Renewals(blobs, settle)).put_image(DATA)


async def without_a_look_for_announcements(blobs: BlobStore, _: Turns) -> None:
    if not await blobs.create(KEY, DATA):
        await blobs.write(KEY, DATA)


async def without_renewal(blobs: BlobStore, _: Turns) -> None:
    await blobs.create(KEY, DATA)


async def lost(blobs: BlobStore, order: str, store_image: Store) -> bool:
    """Whether the image is gone after a sweep and its storing again, in that order."""
    inner = AgingStore(blobs)
    await inner.write(KEY, DATA)
    inner.age(KEY, OLD)
    turns = Turns(order)

    async def sweep() -> None:
        view = TurnTaker(inner, turns, "d")
        made = Sweep(view, OpenRequests(), time.time() - RETENTION_S, dry_run=False)
        await made.run(SweepCursor(phase="images"), lambda _: None)
        await turns.leave("d")

    async def storing() -> None:
        await store_image(TurnTaker(inner, turns, "s"), turns)
        await turns.leave("s")

    await asyncio.gather(sweep(), storing())
    return await blobs.read(KEY) != DATA


@pytest.mark.parametrize("order", orders())
async def test_no_order_loses_an_image(order: str, tmp_path: Path) -> None:
    assert not await lost(LocalBlobStore(tmp_path), order, as_we_do)


async def test_no_order_loses_an_image_in_a_bucket(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_ID", ACCESS_KEY)
    monkeypatch.setenv("S3_SECRET", SECRET_KEY)
    ended = [
        await lost(open_store(bucket_settings(service, new_bucket(service))), order, as_we_do) for order in orders()
    ]
    assert not any(ended)


@pytest.mark.parametrize("careless", [without_a_look_for_announcements, without_renewal])
async def test_what_is_less_careful_loses_images(careless: Store, tmp_path: Path) -> None:
    ended = [await lost(LocalBlobStore(tmp_path / order), order, careless) for order in orders()]
    assert any(ended)


async def test_an_image_that_nobody_stores_again_goes(tmp_path: Path) -> None:
    async def nothing(_: BlobStore, __: Turns) -> None:
        pass

    assert await lost(LocalBlobStore(tmp_path), "", nothing)
