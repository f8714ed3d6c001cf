"""Odoo's side of a reconciliation: its requests and their images, read in pages."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import JsonValue

from activities.odoo.errors import OdooRefusedError
from activities.odoo.port import OdooPort
from contracts.callbacks import Verdict
from contracts.reconciliation import Asked, Attachment
from contracts.reconciling import moment
from contracts.requests import StoredImage
from runtime.blobs import BlobStore, image_key

REQUEST, RESULT, ATTACHMENT = "ai.image.request", "ai.image.result", "ir.attachment"
MOST_IDS = 500_000
"""Requests of one window at most; only their ids are fetched at once."""
_FIELDS = ("request_key", "state", "queued_at", "sent_at", "result_digest", "error_code", "image_ids")
_FILE = ("res_id", "name", "checksum", "file_size", "create_date", "write_date")
_STOCK_NAME = re.compile(r"ai-image-([0-9a-f]{32})\.")
_NO_MODEL = re.compile(r"KeyError|NotFound|does ?n.t exist|does not exist")
Row = dict[str, JsonValue]


class OdooSide:
    """What one Odoo knows. Every call raises `OdooRefusedError`; the store's `OSError` passes through."""

    def __init__(self, calls: OdooPort, blobs: BlobStore) -> None:
        self.calls = calls
        self._blobs = blobs

    async def has_addon(self) -> bool:
        """Whether the addon's model is there."""
        try:
            await self.calls.search(REQUEST, [], 1)
        except OdooRefusedError as error:
            if error.verdict is Verdict.FINAL and _NO_MODEL.search(error.reason):
                return False
            raise
        return True

    async def changed_since(self, since: float) -> list[int]:
        """The ids of the requests that were asked and changed since."""
        text = f"{datetime.fromtimestamp(since, UTC):%Y-%m-%d %H:%M:%S}"
        return await self.calls.search(REQUEST, [["write_date", ">=", text], ["state", "!=", "draft"]], MOST_IDS)

    async def with_keys(self, keys: Sequence[str]) -> list[int]:
        """The ids of the requests that have these keys."""
        return await self.calls.search(REQUEST, [["request_key", "in", list(keys)]], len(keys))

    async def asked(self, ids: Sequence[int]) -> list[Asked]:
        """Those of the requests that there are."""
        rows = await self.calls.read(REQUEST, ids, _FIELDS) if ids else []
        attachments = await self._of_requests(rows) if rows else {}
        return [
            Asked(
                record=_number(row, "id"),
                key=str(row["request_key"]),
                state=str(row["state"]),
                asked_at=moment(row["sent_at"]) or moment(row["queued_at"]) or 0.0,
                settled=bool(row["result_digest"]),
                error_code=str(row["error_code"]) if row["error_code"] else None,
                attachments=tuple(attachments[_number(row, "id")]),
            )
            for row in rows
        ]

    async def attached(self, model: str, ids: Sequence[int]) -> dict[int, list[Attachment]]:
        """What an Odoo without the addon has attached to those records that there are, by record."""
        present = [_number(row, "id") for row in await self.calls.read(model, ids, ["id"])]
        found: dict[int, list[Attachment]] = {number: [] for number in present}
        for row in await self._files(model, present):
            named = _STOCK_NAME.match(str(row["name"]))
            if named:
                found[_number(row, "res_id")].append(_attachment(row, named[1]))
        return found

    async def _of_requests(self, rows: Sequence[Row]) -> defaultdict[int, list[Attachment]]:
        keys = {_number(row, "id"): str(row["request_key"]) for row in rows}
        results = [number for row in rows for number in _numbers(row["image_ids"])]
        told = {
            _number(row, "attachment_id"): str(row["sha256"])
            for row in (await self.calls.read(RESULT, results, ["attachment_id", "sha256"]) if results else [])
        }
        found: defaultdict[int, list[Attachment]] = defaultdict(list)
        for row in await self._files(REQUEST, list(keys)):
            owner, digest = _number(row, "res_id"), told.get(_number(row, "id"))
            # Beside the images of a request people may have attached whatever they like to it.
            if digest is not None or str(row["name"]).startswith(f"{keys[owner]}-"):
                found[owner].append(await self._looked_at(row, digest))
        return found

    async def _files(self, model: str, ids: Sequence[int]) -> list[Row]:
        domain: list[list[JsonValue]] = [["res_model", "=", model], ["res_id", "in", list(ids)]]
        numbers = await self.calls.search(ATTACHMENT, domain, MOST_IDS) if ids else []
        return await self.calls.read(ATTACHMENT, numbers, _FILE) if numbers else []

    async def _looked_at(self, row: Row, digest: str | None) -> Attachment:
        attachment = _attachment(row, digest)
        if digest is None or row["write_date"] == row["create_date"]:
            return attachment
        data = await self._blobs.read(image_key(digest))
        # Odoo's own check sum; it protects nothing here.
        same = data is None or hashlib.sha1(data, usedforsecurity=False).hexdigest() == attachment.checksum
        return attachment.model_copy(update={"altered": not same})


def stored_name(image: StoredImage) -> str:
    """The name under which an Odoo without the addon has an image attached."""
    return f"ai-image-{image.sha256[:32]}.{image.media_type.partition('/')[2]}"


def _attachment(row: Row, digest: str | None) -> Attachment:
    return Attachment(
        number=_number(row, "id"), sha256=digest, checksum=str(row["checksum"] or ""), size=_number(row, "file_size")
    )


def _number(row: Row, name: str) -> int:
    value = row[name]
    return value if isinstance(value, int) else 0


def _numbers(value: JsonValue) -> list[int]:
    return [each for each in value if isinstance(each, int)] if isinstance(value, list) else []
