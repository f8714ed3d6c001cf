"""How a bucket keeps what a blob store promises, against moto's server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store

from runtime.blobs import BlobStore, LocalBlobStore, open_store
from runtime.secrets import SecretMissingError
from runtime.store_check import StoreUnusableError, usable_store
from runtime.store_settings import StoreSettings
from tests.runtime.blob_contract import BlobStoreContract
from tests.runtime.relays import HalfDeaf, Refusing
from tests.runtime.s3_server import ACCESS_KEY, SECRET_KEY, bucket_settings, new_bucket, s3_server


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_ID", ACCESS_KEY)
    monkeypatch.setenv("S3_SECRET", SECRET_KEY)


class TestBucket(BlobStoreContract):
    """The root of a bucket."""

    @pytest.fixture
    def store(self, service: str) -> BlobStore:
        return open_store(bucket_settings(service, new_bucket(service)))


class TestFolderOfABucket(BlobStoreContract):
    """A folder inside a bucket that holds other things as well."""

    @pytest.fixture
    def store(self, service: str) -> BlobStore:
        bucket = new_bucket(service)
        other = raw(service, bucket)
        for key in ("a/b", "odoo/a/b", "odoo/images-of-others/a", "odoo/images.txt", "z"):
            obstore.put(other, key, b"of others")
        return open_store(bucket_settings(service, bucket, prefix="odoo/images"))


def raw(service: str, bucket: str) -> S3Store:
    return S3Store(
        bucket,
        endpoint=service,
        region="us-east-1",
        access_key_id=ACCESS_KEY,
        secret_access_key=SECRET_KEY,
        client_options={"allow_http": True},
    )


async def test_a_creation_whose_answer_was_lost_is_still_won(service: str) -> None:
    bucket = new_bucket(service)
    async with HalfDeaf(service) as relay:
        store = open_store(bucket_settings(relay.url, bucket))
        relay.drop_answers = 1
        assert await store.create("marker", b"mine")
        assert relay.dropped == 1
        assert not await store.create("marker", b"other")
        assert await store.read("marker") == b"mine"


async def test_a_deletion_is_sent_once(service: str) -> None:
    async with HalfDeaf(service) as relay:
        store = open_store(bucket_settings(relay.url, new_bucket(service)))
        await store.write("marker", b"mine")
        relay.drop_answers = 1
        with pytest.raises(OSError, match="bucket"):
            await store.delete("marker")
        assert relay.methods.count("DELETE") == 1


async def test_reads_and_writes_survive_a_lost_answer(service: str) -> None:
    async with HalfDeaf(service) as relay:
        store = open_store(bucket_settings(relay.url, new_bucket(service)))
        relay.drop_answers = 1
        await store.write("key", b"value")
        relay.drop_answers = 1
        assert await store.read("key") == b"value"
        assert relay.dropped == 2


@pytest.mark.parametrize("operation", ["read", "write", "create", "delete", "list"])
async def test_a_missing_bucket_is_named(operation: str, service: str) -> None:
    store = open_store(bucket_settings(service, "no-such-bucket"))
    with pytest.raises(
        OSError, match=r"there is no bucket 'no-such-bucket' at http://127.0.0.1:\d+: create it"
    ) as told:
        await called(store, operation)
    assert_one_line(told.value)


@pytest.mark.parametrize("operation", ["read", "write", "create", "delete", "stat", "list"])
async def test_an_unreachable_endpoint_is_named(operation: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        store = open_store(bucket_settings(url, "pictures", timeout_s=1))
        with pytest.raises(OSError, match=r"cannot be reached: check store\.endpoint") as told:
            await called(store, operation)
    assert url in str(told.value)
    assert_one_line(told.value)


async def test_a_refused_key_is_named() -> None:
    async with Refusing("403 Forbidden", b"<Error><Code>InvalidAccessKeyId</Code></Error>") as service:
        store = open_store(bucket_settings(service.url, "pictures"))
        for operation in ("read", "write", "create", "delete", "stat", "list"):
            with pytest.raises(OSError, match=r"is denied.*: check store\.access_key_id") as told:
                await called(store, operation)
            assert_one_line(told.value)


async def test_no_credentials_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Refusing("404 Not Found", b"") as metadata:
        for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE"):
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", metadata.url)
        store = open_store(
            bucket_settings("http://127.0.0.1:9", "pictures", access_key_id=None, secret_access_key=None)
        )
        with pytest.raises(OSError, match=r"no credentials for the store: set store\.access_key_id") as told:
            await store.read("key")
        assert_one_line(told.value)


async def test_credentials_of_the_environment(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    store = open_store(bucket_settings(service, new_bucket(service), access_key_id=None, secret_access_key=None))
    assert await store.create("key", b"value")


def test_a_missing_secret_is_told_when_the_store_is_opened(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("S3_SECRET")
    with pytest.raises(SecretMissingError, match="env:S3_SECRET"):
        open_store(bucket_settings(service, "pictures"))


async def test_the_bucket_may_stand_in_the_host_name(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Refusing("503 Service Unavailable", b"") as proxy:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        store = open_store(bucket_settings("http://s3.example:9000", "pictures", path_style=False))
        with pytest.raises(OSError, match=r"bucket 'pictures' at http://s3.example:9000 failed: HTTP 503"):
            await store.delete("key")
        assert proxy.heads[0].startswith("DELETE http://pictures.s3.example:9000/key HTTP/1.1")


async def test_a_service_without_conditions_is_refused(service: str) -> None:
    async with HalfDeaf(service, without="if-none-match") as careless:
        with pytest.raises(StoreUnusableError, match="ignores If-None-Match"):
            await usable_store(bucket_settings(careless.url, new_bucket(service)))


async def test_a_bucket_that_can_be_used(service: str) -> None:
    store = await usable_store(bucket_settings(service, new_bucket(service)))
    assert [entry async for entry in store.list("")] == []


async def test_a_bucket_that_cannot_be_used_is_one_line(service: str) -> None:
    with pytest.raises(StoreUnusableError, match=r"^store: there is no bucket 'missing-one'.*: create it, or set"):
        await usable_store(bucket_settings(service, "missing-one"))


async def test_a_directory_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_bytes(b"")
    with pytest.raises(StoreUnusableError, match=rf"^store: {taken}.*: Not a directory$"):
        await usable_store(StoreSettings(path=taken))


def test_the_default_is_the_directory(tmp_path: Path) -> None:
    assert isinstance(open_store(StoreSettings(path=tmp_path)), LocalBlobStore)


async def called(store: BlobStore, operation: str) -> None:
    if operation == "list":
        _ = [entry async for entry in store.list("")]
        return
    arguments = ("key", b"") if operation in {"write", "create"} else ("key",)
    await getattr(store, operation)(*arguments)


def assert_one_line(error: OSError) -> None:
    assert len(str(error).splitlines()) == 1
    assert SECRET_KEY not in str(error)
    assert error.strerror == str(error)
