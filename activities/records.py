"""What the store knows of a request: its images by SHA-256, and per generation the intent marker and the manifest.

The marker is written before a paid call and says, to whoever comes later, that the call may have been made; the
manifest is written last, once every image is stored. Whoever finds the manifest never calls the service again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import ValidationError

from activities.renewal import Renewals
from activities.services.base import RemoteArtifact
from contracts.errors import Failure
from contracts.identity import sha256_hex
from contracts.model import Frozen
from contracts.requests import Cost, GeneratedImages, GenerateInput, JobReference
from contracts.retention import needs_renewal, request_folder
from runtime.blobs import BlobStore, image_key

_T = TypeVar("_T")

PATIENCE_S = (0.05, 0.25, 1.0, 3.0)
"""Seconds between the tries to write what was paid for."""


class Marker(Frozen):
    """The intent to call a service, and what is known of that call so far."""

    service: str | None = None
    """Who is called; after a failover not the service that a redrive begins with. None = the one that is asked now."""
    calls: int = 1
    """How many calls this generation has made."""
    call: str = "1"
    """Names the last of them in the spend ledger."""
    before: str | None = None
    """Names the one before it, where there was one."""
    sent_at: float
    """Epoch seconds."""
    gives_up_at: float
    """Epoch seconds after which the attempt that wrote this cannot be running any more."""
    artifacts: tuple[RemoteArtifact, ...] | None = None
    """The finished images that are still to be downloaded."""
    job: JobReference | None = None
    """The job that the service accepted."""
    unusable: Failure | None = None
    """Why what the service delivered cannot be used; downloading again does not help."""
    model: str | None = None
    provider_request_id: str | None = None
    warnings: tuple[str, ...] = ()
    """What was changed of the request before it was sent, and what the service said of it."""
    cost: Cost | None = None
    """What the service said that the call costs."""

    def ended(self) -> Marker:
        """The marker of a call that is not running any more: nobody needs to wait for it."""
        return self.model_copy(update={"gives_up_at": 0.0})


class Records:
    """Reads and writes what belongs to one request."""

    def __init__(self, blobs: BlobStore, renewals: Renewals | None = None) -> None:
        self._blobs = blobs
        self._renewals = renewals or Renewals(blobs)

    async def manifest(self, call: GenerateInput) -> GeneratedImages | None:
        """The images of this generation, once all are stored."""
        data = await self._blobs.read(_key(call, "manifest"))
        if data is None:
            return None
        images = GeneratedImages.model_validate_json(data)
        if await self._renewals.is_old(_key(call, "manifest")):
            for image in images.images:
                await self._renewals.image(image.sha256)
            await self._renewals.request(call.store_key)
        return images

    async def finish(self, call: GenerateInput, images: GeneratedImages) -> None:
        """Write the manifest: from here on the generation is done."""
        await _insist(lambda: self._blobs.write(_key(call, "manifest"), images.model_dump_json().encode()))

    async def marker(self, call: GenerateInput) -> Marker | None:
        """The marker of this generation. One that cannot be read still says that a call may have been made."""
        data = await self._blobs.read(_key(call, "marker"))
        if data is None:
            return None
        try:
            marker = Marker.model_validate_json(data)
        except ValidationError:
            marker = Marker(sent_at=0, gives_up_at=0)
        if needs_renewal(marker.sent_at, time.time()):
            await self._renewals.request(call.store_key)
        return marker

    async def begin(self, call: GenerateInput, marker: Marker) -> bool:
        """Write the first marker; False where another attempt was faster."""
        return await self._blobs.create(_key(call, "marker"), marker.model_dump_json().encode())

    async def note(self, call: GenerateInput, marker: Marker) -> None:
        """Replace the marker by one that knows more."""
        await self._blobs.write(_key(call, "marker"), marker.model_dump_json().encode())

    async def keep(self, call: GenerateInput, marker: Marker) -> None:
        """Replace the marker by one that says where to find what was paid for."""
        await _insist(lambda: self.note(call, marker))

    async def forget(self, call: GenerateInput) -> None:
        """Remove the marker: the call is proved not to have been made, or may be repeated."""
        await _insist(lambda: self._blobs.delete(_key(call, "marker")))

    async def put_image(self, data: bytes) -> str:
        """Store an image; returns its SHA-256. Storing the same bytes again only makes them young again."""
        digest = sha256_hex(data)
        if not await _insist(lambda: self._blobs.create(image_key(digest), data)):
            await _insist(lambda: self._renewals.image(digest, data))
        return digest

    async def renew(self, digest: str) -> None:
        """Make an image young again that is about to be named in a URL; raises OSError."""
        await self._renewals.image(digest)

    async def image(self, digest: str) -> bytes | None:
        """The bytes of an image, or None."""
        return await self._blobs.read(image_key(digest))


def _key(call: GenerateInput, name: str) -> str:
    return f"{request_folder(call.store_key)}/{call.generation}/{name}.json"


async def _insist(write: Callable[[], Awaitable[_T]]) -> _T:
    """Repeat a write that fails for a moment. Only here: what it keeps is paid for and is nowhere else."""
    for delay in PATIENCE_S:
        try:
            return await write()
        except OSError:
            await asyncio.sleep(delay)
    return await write()
