"""Where images are kept, and for how long."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from contracts.retention import needed_s
from runtime.secrets import SecretRef, SecretRefs, references
from runtime.settings_values import HttpUrl, Section

if TYPE_CHECKING:
    from runtime.settings import RouteSettings, Settings

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


def _bucket(value: str) -> str:
    if not _BUCKET.fullmatch(value):
        raise ValueError("must be the name of a bucket: 2 to 63 letters, digits, dots and hyphens")
    return value


def _folder(value: str) -> str:
    if value and not _FOLDER.fullmatch(value):
        raise ValueError("must be a folder without a slash at either end, as odoo/images")
    return value


Bucket = Annotated[str, AfterValidator(_bucket)]
"""The name of a bucket."""

Folder = Annotated[str, AfterValidator(_folder)]
"""A path inside a bucket."""


class StoreSettings(Section):
    """Where images are kept."""

    kind: Literal["local", "s3"] = "local"
    """The back end: a directory, or any S3-compatible service that honours If-None-Match."""
    path: Path = Path("var/images")
    """local: the directory, shared by all starters and workers."""
    bucket: Bucket | None = None
    """s3: the bucket. It must exist."""
    prefix: Folder = ""
    """s3: the folder inside the bucket, as odoo/images; empty = the bucket's root."""
    region: str | None = Field(default=None, min_length=1, max_length=64)
    """s3: the region. Not set = AWS_REGION, else us-east-1."""
    endpoint: HttpUrl | None = None
    """s3: the service's URL, as http://minio:9000. Not set = AWS_ENDPOINT_URL, else Amazon's for the region."""
    path_style: bool = True
    """s3: whether the bucket stands in the path (host/bucket/key); false = in the host name (bucket.host/key)."""
    access_key_id: SecretRef | None = None
    """s3: reference to the access key id. Not set = AWS_ACCESS_KEY_ID, web identity, container or instance role."""
    secret_access_key: SecretRef | None = None
    """s3: reference to the secret access key; set together with access_key_id."""
    timeout_s: float = Field(default=30.0, ge=1, le=600)
    """s3: seconds for one request, upload of the largest image included; reads and writes are tried three times."""
    retention_s: float | None = Field(default=None, gt=0, le=10 * 365 * 86_400)
    """Seconds images are kept. Not set = the longest park_s + callback.retry.deadline_s + url_ttl_s, and two days."""
    signing_key: SecretRefs | None = None
    """Reference to the key that signs image URLs (at least 16 characters); needed as soon as images travel as URLs. In
    a list the first signs, and what any of them signed is valid.
    """

    @property
    def signs_with(self) -> SecretRef | None:
        """The reference to the key that signs."""
        return references(self.signing_key)[0] if self.signing_key else None

    @property
    def place(self) -> str:
        """Where the images are, for people."""
        if self.kind == "local":
            return str(self.path)
        folder = f"{self.bucket}/{self.prefix}".rstrip("/")
        return f"{folder} at {self.endpoint or 'Amazon S3'}"


def retention_s(settings: Settings) -> float:
    """Seconds that images and records are kept: as set, else what the routes need."""
    if settings.store.retention_s is not None:
        return settings.store.retention_s
    return max((_needed_s(route) for route in settings.routes.values()), default=needed_s(0, 0, 0))


def store_disagreements(settings: Settings) -> Iterator[str]:
    """What contradicts itself in the store's section, or the routes."""
    store = settings.store
    if store.kind == "s3" and store.bucket is None:
        yield "store.bucket: kind s3 needs a bucket; set it"
    if (store.access_key_id is None) != (store.secret_access_key is None):
        yield "store.access_key_id: goes together with store.secret_access_key; set both or none"
    for name, route in settings.routes.items():
        least = _needed_s(route)
        if store.retention_s is not None and store.retention_s < least:
            yield f"store.retention_s: routes.{name} needs its images for {least:.0f} s; set at least that, or nothing"


def _needed_s(route: RouteSettings) -> float:
    return needed_s(route.park_s, route.callback.retry.deadline_s, route.callback.url_ttl_s)
