"""What the requests that are open in Temporal have in the store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.client import Client, WorkflowExecution
from temporalio.exceptions import ApplicationError

from contracts.identity import run_store_key, store_key
from contracts.names import MEMO_DIGEST, WORKFLOW
from contracts.requests import GeneratedImages
from contracts.retention import request_folder
from runtime.blobs import BlobStore

QUERY = f'WorkflowType = "{WORKFLOW}" AND ExecutionStatus = "Running"'
PAGE = 1000
"""Requests that are fetched at once."""


@dataclass(frozen=True, slots=True)
class OpenRequests:
    """What may not go, whatever its age. 32 bytes for each, so that a hundred thousand requests fit in memory."""

    store_keys: frozenset[bytes] = frozenset()
    images: frozenset[bytes] = frozenset()
    """The images that the manifests of open requests name, where the request is older than the cutoff."""

    def has_records(self, key: str) -> bool:
        """Whether the store key belongs to an open request."""
        return bytes.fromhex(key) in self.store_keys

    def has_image(self, digest: str) -> bool:
        """Whether an open request needs the image."""
        return bytes.fromhex(digest) in self.images


async def find_open_requests(client: Client, blobs: BlobStore, cutoff: float, beat: Callable[[], None]) -> OpenRequests:
    """All open requests, and what the older ones have in the store. `beat` is called now and then.

    Raises `RPCError`, `OSError`, and `ApplicationError` for a request that does not say what it has.
    """
    keys: set[bytes] = set()
    images: set[bytes] = set()
    async for execution in client.list_workflows(QUERY, page_size=PAGE):
        beat()
        own = await _store_keys(execution)
        keys.update(map(bytes.fromhex, own))
        # Images are never older than the request that had them made.
        if execution.start_time < datetime.fromtimestamp(cutoff, UTC):
            for key in own:
                images.update([bytes.fromhex(digest) async for digest in _named(blobs, key)])
    return OpenRequests(frozenset(keys), frozenset(images))


async def _store_keys(execution: WorkflowExecution) -> tuple[str, str]:
    digest: str | None = await execution.memo_value(MEMO_DIGEST, None, type_hint=str)
    if digest is None:
        message = f"open request {execution.id} has no digest in its memo: nothing is deleted while it is open"
        raise ApplicationError(message, non_retryable=True)
    key = store_key(execution.id, digest)
    return key, run_store_key(key, execution.run_id)


async def _named(blobs: BlobStore, key: str) -> AsyncIterator[str]:
    async for entry in blobs.list(request_folder(key)):
        data = await blobs.read(entry.key) if entry.key.endswith("/manifest.json") else None
        if data is not None:
            for image in GeneratedImages.model_validate_json(data).images:
                yield image.sha256
