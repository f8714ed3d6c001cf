from __future__ import annotations

import time
from hashlib import sha256
from pathlib import Path

import pytest
from temporalio.client import Client

from runtime.blobs import image_key
from runtime.image_urls import sign
from starter.images import media_type
from tests.starter.front import SIGNING_KEY, Front, make_settings, running_starter

NEW_KEY = "made-up-new-key-0123456789"
PNG = b"\x89PNG\r\n\x1a\n made-up image"
DIGEST = sha256(PNG).hexdigest()


def url(digest: str = DIGEST, *, lives_s: int = 86_400, key: str = SIGNING_KEY) -> str:
    return sign("", digest, int(time.time()) + lives_s, key)


async def test_a_signed_url_gives_the_image_and_lets_it_be_cached(front: Front) -> None:
    await front.blobs.write(image_key(DIGEST), PNG)
    answer = await front.http.get(url())
    assert (answer.status_code, answer.content) == (200, PNG)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"].startswith("private, max-age=")
    assert answer.headers["cache-control"].endswith(", immutable")


async def test_while_the_key_is_rotated_urls_of_both_are_good(tmp_path: Path, temporal_client: Client) -> None:
    settings = make_settings(tmp_path)
    (tmp_path / "new-key").write_text(NEW_KEY, encoding="utf-8")
    store = {"path": tmp_path / "store", "signing_key": [f"file:{tmp_path}/new-key", settings.store.signing_key]}
    async with running_starter(make_settings(tmp_path, store=store), temporal_client) as rotated:
        await rotated.blobs.write(image_key(DIGEST), PNG)
        keys = (SIGNING_KEY, NEW_KEY, "another-key-0123456789")
        assert [(await rotated.http.get(url(key=key))).status_code for key in keys] == [200, 200, 403]


async def test_head_tells_the_same_without_the_image(front: Front) -> None:
    await front.blobs.write(image_key(DIGEST), PNG)
    answer = await front.http.head(url())
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, str(len(PNG)), b"")


@pytest.mark.parametrize(
    "path",
    [
        url(lives_s=-1),
        url(key="another-key-0123456789"),
        f"/images/{DIGEST}",
        f"{url()}0",
        url().replace("expires=", "expires=9"),
        f"/images/{'0' * 64}?{url().partition('?')[2]}",
    ],
    ids=["expired", "other-key", "unsigned", "changed-signature", "longer-life", "other-image"],
)
async def test_without_a_valid_signature_nothing_is_told(front: Front, path: str) -> None:
    await front.blobs.write(image_key(DIGEST), PNG)
    assert (await front.http.get(path)).status_code == 403


@pytest.mark.parametrize(
    "path", [url(sha256(b"never stored").hexdigest()), "/images/", "/images/..%2Fsecret", "/images/ab"]
)
async def test_what_is_not_there_is_not_found(front: Front, path: str) -> None:
    assert (await front.http.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"<html>", "application/octet-stream"),
    ],
)
def test_the_type_is_read_from_the_bytes(data: bytes, name: str) -> None:
    assert media_type(data) == name
