"""Writing an outcome to the record that it belongs to. Each step looks first, so that an attempt may be repeated."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from activities.odoo.connections import OdooConnections
from activities.odoo.errors import OdooRefusedError, missing, unanswered
from activities.odoo.port import OdooPort
from activities.odoo.reading import record_settings
from activities.outgoing_images import OutgoingImages
from contracts.identity import idempotency_key, sha256_hex
from contracts.requests import (
    DeliverInput,
    DeliveryReceipt,
    GeneratedImages,
    ImageOutcome,
    RecordReference,
    StoredImage,
)
from runtime.settings import Settings, WriteBack

_ATTACHMENT, _MESSAGE = "ir.attachment", "mail.message"
_TAKEN = DeliveryReceipt(http_status=200)
_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Picture:
    """One image as Odoo takes it."""

    image: StoredImage
    base64: str

    @property
    def file_name(self) -> str:
        """The same for the same image, so that it is attached once."""
        return f"ai-image-{self.image.sha256[:_DIGITS]}.{self.image.media_type.partition('/')[2]}"


class RecordWriter:
    """Writes outcomes to records by RPC."""

    def __init__(self, settings: Settings, images: OutgoingImages, connections: OdooConnections) -> None:
        self._settings = settings
        self._images = images
        self._connections = connections

    async def deliver(self, call: DeliverInput, record: RecordReference, timeout_s: float) -> DeliveryReceipt:
        """Write the outcome to every configured target; raises `AttemptFailedError`."""
        targets = record_settings(self._settings, call.route).write_back
        port = self._connections.port(call.odoo, timeout_s)
        stored = call.outcome.generated.images if call.outcome.generated else ()
        pictures = [Picture(one, base64.b64encode(await self._images.data(one)).decode()) for one in stored]
        url = await self._images.url(stored[0], call.delivery.expires_at) if targets.url and stored else None
        try:
            async with asyncio.timeout(timeout_s):
                await self._write(port, call, record, pictures, field_values(targets, call.outcome, pictures, url))
        except TimeoutError as error:
            raise unanswered(error, []).as_attempt() from None
        except OdooRefusedError as error:
            raise error.as_attempt() from None
        return _TAKEN

    async def _write(
        self,
        port: OdooPort,
        call: DeliverInput,
        record: RecordReference,
        pictures: Sequence[Picture],
        values: dict[str, JsonValue],
    ) -> None:
        targets = record_settings(self._settings, call.route).write_back
        if not await port.read(record.model, [record.record_id], ["id"]):
            raise missing(record.model, record.record_id)
        if values:
            await port.write(record.model, [record.record_id], values)
        attachments: list[JsonValue] = []
        if targets.attachment or targets.chatter:
            attachments = [await _attached(port, record, picture) for picture in pictures]
        if targets.chatter:
            await _posted(port, call, record, attachments)


def field_values(
    targets: WriteBack, outcome: ImageOutcome, pictures: Sequence[Picture], url: str | None
) -> dict[str, JsonValue]:
    """What the configured fields get. A failure leaves an earlier image alone."""
    failure = outcome.failure
    image = pictures[0].base64 if pictures else None
    told = False if failure is None else f"{failure.rule.code}: {failure.told}"
    wanted: list[tuple[str | None, JsonValue]] = [
        (targets.image, image),
        (targets.url, url),
        (targets.status, "completed" if failure is None else "failed"),
        (targets.error, told),
    ]
    return {field: value for field, value in wanted if field is not None and value is not None}


def message_id(request_id: str, delivery: int) -> str:
    """The Message-ID of a delivery's note: Odoo keeps it, and by it a repeated attempt finds the note."""
    return f"<{sha256_hex(idempotency_key(request_id, delivery).encode())[:_DIGITS]}@odoo-image-orchestrator>"


def note(outcome: ImageOutcome, request_id: str) -> str:
    """The text of the note, plain."""
    if outcome.generated is None:
        told = outcome.failure.told if outcome.failure else "no outcome"
        return f"No image: {told} Request {request_id}."
    return f"{_made(outcome.generated)} Request {request_id}."


def _made(generated: GeneratedImages) -> str:
    seed, cost = generated.images[0].seed, generated.cost
    facts = [
        generated.service,
        generated.model,
        None if seed is None else f"seed {seed}",
        None if cost is None else f"{cost.amount:f} {cost.currency}",
    ]
    return " ".join([f"Image made by {', '.join(filter(None, facts))}.", *(generated.warnings or ())])


async def _attached(port: OdooPort, record: RecordReference, picture: Picture) -> int:
    where: dict[str, JsonValue] = {
        "res_model": record.model,
        "res_id": record.record_id,
        "name": picture.file_name,
    }
    found = await port.search(_ATTACHMENT, [[name, "=", value] for name, value in where.items()], 1)
    if found:
        return found[0]
    return await port.create(_ATTACHMENT, {**where, "datas": picture.base64, "mimetype": picture.image.media_type})


async def _posted(port: OdooPort, call: DeliverInput, record: RecordReference, attachments: list[JsonValue]) -> None:
    request_id = call.reference.request_id
    marker = message_id(request_id, call.delivery.number)
    if await port.search(_MESSAGE, [["message_id", "=", marker]], 1):
        return
    message: dict[str, JsonValue] = {
        "body": note(call.outcome, request_id),
        "message_id": marker,
        "attachment_ids": attachments,
    }
    await port.post_message(record.model, record.record_id, message)
