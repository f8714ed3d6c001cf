"""Blobs in a bucket of any S3-compatible service that honours `If-None-Match: *` (Amazon, MinIO, R2, Ceph, Garage)."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from contracts.retention import DELETE_TIMEOUT_S
from runtime.blob_store import BlobEntry, checked, folder
from runtime.s3_errors import StoreFailedError, failure_line, is_missing_bucket
from runtime.secrets import resolve
from runtime.store_settings import StoreSettings

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import S3Credential

PAGE = 1000
"""Entries of a listing that are fetched and held at once."""

_CONNECT_TIMEOUT = timedelta(seconds=5)
_RETRIES = 2
_CREATION = "creation"
"""The metadata that tells whose creation an object is."""
_CREATE_TRIES = 4
_CREDENTIALS_LAST = timedelta(minutes=10)


class S3BlobStore:
    """A bucket, or a folder in it."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        timeout = timedelta(seconds=settings.timeout_s)
        with self._failures():
            self._store = _connection(settings, timeout, _RETRIES)
            # Sent once: a second try could hit what was written since the first.
            self._deleting = _connection(settings, timedelta(seconds=DELETE_TIMEOUT_S), 0)

    async def read(self, key: str) -> bytes | None:
        """The value, or None."""
        with self._failures(), _Absent():
            found = await obstore.get_async(self._store, checked(key))
            return bytes(await found.bytes_async())
        return None

    async def write(self, key: str, data: bytes) -> None:
        """Set the value."""
        with self._failures():
            await obstore.put_async(self._store, checked(key), data, use_multipart=False)

    async def create(self, key: str, data: bytes) -> bool:
        """Set the value by a conditional request, which the service refuses where the key is taken."""
        own = uuid.uuid4().hex
        with self._failures():
            for _ in range(_CREATE_TRIES):
                with contextlib.suppress(AlreadyExistsError):
                    await self._put_new(checked(key), data, own)
                    return True
                # A repeated request may have met what its own first try had created.
                creator = await self._creator(key)
                if creator is not None:
                    return creator == own
        raise StoreFailedError(f"{key} is created and deleted by others all the time")

    async def delete(self, key: str) -> None:
        """Remove the value."""
        with self._failures(), _Absent():
            await obstore.delete_async(self._deleting, checked(key))

    async def stat(self, key: str) -> BlobEntry | None:
        """Size and modification time of the value, or None."""
        with self._failures(), _Absent():
            return _entry(await obstore.head_async(self._store, checked(key)))
        return None

    async def list(self, prefix: str, after: str = "") -> AsyncIterator[BlobEntry]:
        """All values below a folder in the order of their keys."""
        pages = obstore.list(self._store, folder(prefix) or None, offset=after or None, chunk_size=PAGE)
        while True:
            with self._failures():
                page = await anext(pages, None)
            if page is None:
                return
            for meta in page:
                yield _entry(meta)

    async def _put_new(self, key: str, data: bytes, own: str) -> None:
        attributes = {_CREATION: own}
        await obstore.put_async(self._store, key, data, mode="create", attributes=attributes, use_multipart=False)

    async def _creator(self, key: str) -> str | None:
        """Whose creation the object is; "" where it was written since, None where it is gone."""
        with _Absent():
            found = await obstore.get_async(self._store, key, options={"head": True})
            return str(found.attributes.get(_CREATION, ""))
        return None

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except StoreFailedError:
            raise
        except (BaseError, OSError) as error:
            raise StoreFailedError(failure_line(error, self._settings)) from None


class _Absent:
    """Passes over "not found" where it is about the key."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        return isinstance(error, FileNotFoundError) and not is_missing_bucket(error)


def _connection(settings: StoreSettings, timeout: timedelta, retries: int) -> S3Store:
    chosen: dict[str, Any] = {"region": settings.region, "endpoint": _endpoint(settings)}
    return S3Store(
        settings.bucket,
        prefix=settings.prefix or None,
        virtual_hosted_style_request=not settings.path_style,
        credential_provider=_credentials(settings),
        client_options={"allow_http": True, "connect_timeout": _CONNECT_TIMEOUT, "timeout": timeout},
        retry_config={"max_retries": retries, "retry_timeout": timeout},
        **{name: value for name, value in chosen.items() if value is not None},
        # Not every service knows the bulk request.
        disable_bulk_delete=True,
    )


def _endpoint(settings: StoreSettings) -> str | None:
    if settings.endpoint is None or settings.path_style:
        return settings.endpoint
    url = urlsplit(settings.endpoint)
    return url._replace(netloc=f"{settings.bucket}.{url.netloc}").geturl()


def _credentials(settings: StoreSettings) -> Any:  # noqa: ANN401 - obstore's type does not exist at runtime
    """Reads the secrets anew from time to time, so that rotating them needs no restart; None = obstore's own chain."""
    identity, secret = settings.access_key_id, settings.secret_access_key
    if identity is None or secret is None:
        return None

    def current() -> S3Credential:
        until = datetime.now(UTC) + _CREDENTIALS_LAST
        return {"access_key_id": resolve(identity), "secret_access_key": resolve(secret), "expires_at": until}

    current()
    return current


def _entry(meta: ObjectMeta) -> BlobEntry:
    return BlobEntry(meta["path"], meta["size"], meta["last_modified"].timestamp())
