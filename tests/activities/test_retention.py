"""What a sweep of the store deletes and keeps, over both back ends."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from activities.open_requests import OpenRequests
from activities.records import Marker, Records
from activities.sweeping import BATCH, Sweep
from contracts.identity import run_store_key, sha256_hex, store_key
from contracts.requests import GeneratedImages, GenerateInput, StoredImage
from contracts.retention import SweepCursor, SweepReport, announcement_key
from runtime.blobs import BlobEntry, LocalBlobStore, image_key, open_store
from tests.activities.aging import AgingStore
from tests.activities.desk import generate_input
from tests.runtime.s3_server import ACCESS_KEY, SECRET_KEY, bucket_settings, new_bucket, s3_server

DAY_S = 86_400.0
RETENTION_S = 40 * DAY_S
OLD, YOUNG = 41 * DAY_S, 39 * DAY_S


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, service: str, monkeypatch: pytest.MonkeyPatch) -> AgingStore:
    if request.param == "local":
        return AgingStore(LocalBlobStore(tmp_path))
    monkeypatch.setenv("S3_ID", ACCESS_KEY)
    monkeypatch.setenv("S3_SECRET", SECRET_KEY)
    return AgingStore(open_store(bucket_settings(service, new_bucket(service))))


def call(name: str, generation: int = 1) -> GenerateInput:
    key = store_key(f"event/{name}", sha256_hex(name.encode()))
    return generate_input(store_key=key if generation == 1 else run_store_key(key, "run-1"), generation=generation)


def stored(data: bytes) -> StoredImage:
    return StoredImage(sha256=sha256_hex(data), media_type="image/png", size=len(data), width=8, height=8)


async def make(store: AgingStore, made: GenerateInput, *images: bytes, age_s: float) -> None:
    """The records and images of a request, as `generate-image` leaves them, some time ago."""
    records = Records(store)
    await records.begin(made, Marker(sent_at=time.time() - age_s, gives_up_at=0))
    for data in images:
        await records.put_image(data)
        store.age(image_key(sha256_hex(data)), age_s)
    await records.finish(made, GeneratedImages(service="flux", images=tuple(map(stored, images))))
    for key in record_keys(made):
        store.age(key, age_s)


def record_keys(made: GenerateInput) -> set[str]:
    folder = f"requests/{made.store_key[:2]}/{made.store_key}/{made.generation}"
    return {f"{folder}/marker.json", f"{folder}/manifest.json"}


def image_keys(*images: bytes) -> set[str]:
    return {image_key(sha256_hex(data)) for data in images}


def open_with(*made: GenerateInput, images: tuple[bytes, ...] = ()) -> OpenRequests:
    return OpenRequests(
        frozenset(bytes.fromhex(each.store_key) for each in made),
        frozenset(bytes.fromhex(sha256_hex(data)) for data in images),
    )


async def sweep(
    store: AgingStore, needed: OpenRequests | None = None, *, dry_run: bool = False, cursor: SweepCursor | None = None
) -> SweepReport:
    made = Sweep(store, needed or OpenRequests(), time.time() - RETENTION_S, dry_run=dry_run)
    return await made.run(cursor or SweepCursor(), lambda _: None)


async def values(store: AgingStore) -> set[str]:
    """All keys but the announcements of deletions."""
    return {key for key in await store.keys() if not key.startswith("deletions/")}


async def test_what_is_old_and_needed_by_nobody_goes(store: AgingStore) -> None:
    await make(store, call("old"), b"old 1", b"old 2", age_s=OLD)
    await make(store, call("young"), b"young", age_s=YOUNG)
    report = await sweep(store)
    assert await values(store) == record_keys(call("young")) | image_keys(b"young")
    assert report == SweepReport(
        requests_deleted=1, requests_kept=1, images_deleted=2, images_kept=1, bytes_deleted=10, bytes_kept=5
    )


async def test_a_dry_run_tells_the_same_and_deletes_nothing(store: AgingStore) -> None:
    await make(store, call("old"), b"old", age_s=OLD)
    await make(store, call("young"), b"young", age_s=YOUNG)
    before = await store.keys()
    rehearsed = await sweep(store, dry_run=True)
    assert await store.keys() == before
    assert rehearsed.dry_run
    assert rehearsed.model_copy(update={"dry_run": False}) == await sweep(store)


async def test_nothing_of_an_open_request_goes(store: AgingStore) -> None:
    first, second = call("open"), call("open", generation=2)
    await make(store, first, b"first", age_s=10 * OLD)
    await make(store, second, b"second", age_s=OLD)
    needed = open_with(first, second, images=(b"first", b"second"))
    before = await store.keys()
    report = await sweep(store, needed)
    assert await values(store) == before
    assert (report.requests_kept, report.images_kept) == (2, 2)


async def test_an_image_that_a_later_request_has_made_again_stays(store: AgingStore) -> None:
    await make(store, call("old"), b"shared", age_s=OLD)
    # As `make` ages the image: stored again, it is as old as the request that stored it last.
    await make(store, call("young"), b"shared", age_s=YOUNG)
    await sweep(store)
    assert await values(store) == record_keys(call("young")) | image_keys(b"shared")


async def test_records_go_together(store: AgingStore) -> None:
    await make(store, call("job"), age_s=OLD)
    marker = next(key for key in record_keys(call("job")) if key.endswith("marker.json"))
    store.age(marker, YOUNG)
    await sweep(store)
    assert await values(store) == record_keys(call("job"))


async def test_what_is_not_ours_stays(store: AgingStore) -> None:
    foreign = {"spend/2020-01-01/a", "images/readme.txt", "requests/notes", "images/ab/short", "probe"}
    for key in foreign:
        await store.write(key, b"")
        store.age(key, 100 * OLD)
    assert await sweep(store) == SweepReport()
    assert await store.keys() == foreign


async def test_announcements_go_with_a_later_sweep(store: AgingStore) -> None:
    await make(store, call("old"), b"old", age_s=OLD)
    await sweep(store)
    announced = announcement_key(sha256_hex(b"old"))
    assert await store.keys() == {announced}
    await sweep(store)
    assert await store.keys() == {announced}
    store.age(announced, DAY_S)
    await sweep(store)
    assert await store.keys() == set()


async def test_a_request_that_was_sent_again_is_renewed_with_its_images(store: AgingStore) -> None:
    await make(store, call("again"), b"old 1", b"old 2", age_s=OLD)
    before = await store.keys()
    assert await Records(store).manifest(call("again")) is not None
    await sweep(store)
    assert before < await values(store)


async def test_a_marker_that_was_looked_at_again_is_kept(store: AgingStore) -> None:
    made = call("unknown")
    await Records(store).begin(made, Marker(sent_at=time.time() - OLD, gives_up_at=0))
    before = await store.keys()
    store.age(before.pop(), OLD)
    assert await Records(store).marker(made) is not None
    report = await sweep(store)
    assert report.requests_kept == 1
    assert await Records(store).marker(made) is not None


async def test_young_records_cost_no_renewal(store: AgingStore) -> None:
    await make(store, call("young"), b"young", age_s=0)
    before = await store.keys()
    await Records(store).manifest(call("young"))
    await Records(store).marker(call("young"))
    await Records(store).put_image(b"young")
    assert await store.keys() == before


class Breaking(AgingStore):
    """The n-th deletion fails, once."""

    breaks_at: int = 10

    async def delete(self, key: str) -> None:
        self.breaks_at -= 1
        if self.breaks_at == 0:
            raise OSError("the store is away")
        await super().delete(key)


async def test_a_later_attempt_goes_on_where_the_last_batch_ended(tmp_path: Path) -> None:
    store = Breaking(LocalBlobStore(tmp_path))
    for number in range(BATCH + 5):
        await make(store, call(f"old {number}"), age_s=OLD)
    await make(store, call("young"), b"young", age_s=YOUNG)
    store.breaks_at = 2 * BATCH + 2
    cursors: list[SweepCursor] = []
    first = Sweep(store, OpenRequests(), time.time() - RETENTION_S, dry_run=False)
    with pytest.raises(OSError, match="away"):
        await first.run(SweepCursor(), cursors.append)
    assert [(cursor.phase, cursor.report.requests_deleted + cursor.report.requests_kept) for cursor in cursors] == [
        ("requests", BATCH)
    ]
    report = await sweep(store, cursor=cursors[-1])
    assert await values(store) == record_keys(call("young")) | image_keys(b"young")
    assert report.requests_kept == 1
    assert report.images_kept == 1


class Counting(AgingStore):
    """Counts what is listed before a batch is done."""

    listed = 0

    async def list(self, prefix: str, after: str = "") -> AsyncIterator[BlobEntry]:
        async for entry in super().list(prefix, after):
            self.listed += 1
            yield entry


async def test_a_sweep_holds_one_batch_at_a_time(tmp_path: Path) -> None:
    store = Counting(LocalBlobStore(tmp_path))
    images = [f"image {number}".encode() for number in range(3 * BATCH)]
    for data in images:
        await store.write(image_key(sha256_hex(data)), data)
    listed: list[int] = []
    made = Sweep(store, OpenRequests(), time.time() - RETENTION_S, dry_run=False)
    await made.run(SweepCursor(), lambda _: listed.append(store.listed))
    # One more, which showed that the batch was full.
    assert listed == [BATCH + 1, 2 * BATCH + 1, 3 * BATCH]
