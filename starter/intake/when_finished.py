"""Answering with the outcome: a caller waits for its request to end, and the request never waits for its caller."""

from __future__ import annotations

import asyncio
import base64
import time
from dataclasses import dataclass

import structlog
from starlette.requests import Request
from starlette.responses import Response
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.converter import decode_typed_search_attributes
from temporalio.service import RPCError

from contracts import search_attributes
from contracts.dialects import CallbackFacts, DeliveredImage
from contracts.requests import GeneratedImages, ImageGenerationResult, Outcome, Stage, StoredImage
from runtime.blobs import BlobStore, image_key
from runtime.image_urls import sign
from runtime.secrets import SecretMissingError, resolve
from runtime.settings import Settings
from starter.intake.reading import Taken
from starter.intake.submission import UNLIMITED, policies
from starter.wire import n8n_answers
from starter.wire.leaving import unless_left
from starter.wire.routing import Webhook

_log = structlog.get_logger(__name__)

WAITERS = 500
"""Callers that may wait at once; further ones get 202 at once. Temporal allows 1,200 long polls per namespace."""
_AGAIN_S = 1.0
"""Seconds between two looks at a Temporal that does not answer."""

_UPSERTED = EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES
_COMPLETED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED


@dataclass(frozen=True, slots=True)
class Ended:
    """How a request ended for a caller that waits; `generated` is None where there is no image."""

    run_id: str
    generated: GeneratedImages | None = None


class WhenFinished:
    """The answers of routes with `respond = "when_finished"`."""

    def __init__(self, settings: Settings, client: Client, blobs: BlobStore, waiters: int = WAITERS) -> None:
        self._settings = settings
        self._client = client
        self._blobs = blobs
        self.room = waiters
        """Callers that may wait beside those who do."""

    async def answer(self, request: Request, webhook: Webhook, taken: Taken) -> Response:
        """The outcome (200), n8n's failure (500), or past the deadline the acknowledgement (202)."""
        if not self.room:
            _log.warning("too_many_callers_wait", request_id=taken.request_id, route=webhook.name)
            return _later(taken)
        self.room -= 1
        try:
            async with asyncio.timeout(webhook.settings.respond_deadline_s):
                finished = await unless_left(request, self._finished(webhook, taken))
        except TimeoutError:
            finished = None
        finally:
            self.room += 1
        return finished or _later(taken)

    async def _finished(self, webhook: Webhook, taken: Taken) -> Response | None:
        ended = await self._ended(taken)
        if ended.generated is None:
            return n8n_answers.workflow_failed()
        facts = CallbackFacts(execution_id=ended.run_id)
        images = await self._delivered(webhook, ended.generated)
        if images is None:
            _log.error("outcome_not_rendered", request_id=taken.request_id, route=webhook.name)
            return None
        return webhook.fixed_answer.to_outcome(
            webhook.dialect.render_success(taken.reference, ended.generated, images, facts)
        )

    async def _ended(self, taken: Taken) -> Ended:
        while True:
            try:
                return await follow(self._client, taken.workflow_id)
            except RPCError as error:
                _log.warning("outcome_not_followed", request_id=taken.request_id, reason=error.status.name)
                await asyncio.sleep(_AGAIN_S)

    async def _delivered(self, webhook: Webhook, generated: GeneratedImages) -> list[DeliveredImage] | None:
        policy = policies(self._settings, webhook.settings, webhook.settings.services[0])
        limit = 0 if policy.images == "url" else policy.inline_limit
        by_url = limit < UNLIMITED and sum(image.size for image in generated.images) > limit
        try:
            images = [await self._image(image, policy.url_ttl_s if by_url else None) for image in generated.images]
        except SecretMissingError as error:
            _log.error("secret_missing", route=webhook.name, reason=str(error))
            return None
        return [image for image in images if image] if all(images) else None

    async def _image(self, image: StoredImage, url_ttl_s: int | None) -> DeliveredImage | None:
        key = self._settings.store.signs_with
        if url_ttl_s is not None and key is not None:
            base_url, expires_at = self._settings.starter.public_base_url, int(time.time()) + url_ttl_s
            return DeliveredImage(image, url=sign(base_url, image.sha256, expires_at, resolve(key)))
        data = await self._blobs.read(image_key(image.sha256))
        return DeliveredImage(image, base64=base64.b64encode(data).decode()) if data is not None else None


async def follow(client: Client, workflow_id: str) -> Ended:
    """Wait until the request ends or is parked, by long polls of its history alone; raises `RPCError`."""
    described = await client.get_workflow_handle(workflow_id).describe()
    if _is_parked(described):
        return Ended(described.run_id)
    handle = client.get_workflow_handle(workflow_id, run_id=described.run_id)
    last: HistoryEvent | None = None
    async for event in handle.fetch_history_events(wait_new_event=True):
        last = event
        # What was parked before the first look has been redriven since.
        if event.event_id > described.history_length and _parks(event):
            return Ended(described.run_id)
    return Ended(described.run_id, await _generated(client, last))


def _is_parked(described: WorkflowExecutionDescription) -> bool:
    stage = described.typed_search_attributes.get(search_attributes.STAGE)
    return described.close_time is None and stage == Stage.PARKED


def _parks(event: HistoryEvent) -> bool:
    if event.event_type != _UPSERTED:
        return False
    upserted = event.upsert_workflow_search_attributes_event_attributes.search_attributes
    return decode_typed_search_attributes(upserted).get(search_attributes.STAGE) == Stage.PARKED


async def _generated(client: Client, last: HistoryEvent | None) -> GeneratedImages | None:
    if last is None or last.event_type != _COMPLETED:
        return None
    payloads = last.workflow_execution_completed_event_attributes.result.payloads
    decoded = await client.data_converter.decode(payloads, [ImageGenerationResult])
    result: ImageGenerationResult = decoded[0]
    return result.generated if result.outcome is Outcome.COMPLETED else None


def _later(taken: Taken) -> Response:
    taken.answer.status_code = 202
    return taken.answer
