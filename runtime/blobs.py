"""The blob store that the settings name, behind its port."""

from __future__ import annotations

from runtime.blob_store import BlobEntry, BlobStore, image_key
from runtime.local_blobs import LocalBlobStore
from runtime.store_settings import StoreSettings

__all__ = ["BlobEntry", "BlobStore", "LocalBlobStore", "image_key", "open_store"]


def open_store(settings: StoreSettings) -> BlobStore:
    """The configured store. No connection is made yet; raises `SecretMissingError`."""
    if settings.kind == "local":
        return LocalBlobStore(settings.path)
    # Only here: the client is large, and most hosts do without it.
    from runtime.s3_blobs import S3BlobStore  # noqa: PLC0415

    return S3BlobStore(settings)
