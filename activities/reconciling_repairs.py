"""Repairs. Each looks first, so that it may be done twice, or by two at once; what the other side refuses is said."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

from activities.reconciling_odoo import ATTACHMENT, REQUEST, OdooSide, Row, stored_name
from activities.reconciling_requests import RequestSide
from contracts.decisions import Redrive
from contracts.names import REDRIVE
from contracts.reconciliation import Asked, Finding, Handled, Repair, Repaired, RepairOrder
from contracts.reconciling import copies, expected
from runtime.blobs import BlobStore, image_key
from runtime.updates import execute_update

UPDATE_S = 20.0
"""Seconds a worker has to take a redrive."""
BY = "reconciliation"
RESEND_BUTTON, REOPEN_BUTTON = "action_resend", "action_reopen"
"""What the addon offers for repairs: each looks first, under a lock."""
_GONE = Repaired(done=True, said="It is right already.")


class Repairs:
    """The repairs of one finding. Raises `OdooRefusedError`, `RPCError`, `OSError`."""

    def __init__(self, client: Client, blobs: BlobStore, odoo: OdooSide, requests: RequestSide) -> None:
        self._client = client
        self._blobs = blobs
        self._odoo = odoo
        self._requests = requests

    async def repair(self, order: RepairOrder) -> Repaired:
        """Do what the finding names."""
        if order.finding.repair is None:
            return Repaired(done=False, said="Only a person can tell what is right.")
        repairs: Mapping[Repair, Callable[[Finding], Awaitable[Repaired]]] = MappingProxyType(
            {
                Repair.RESEND: self._resend,
                Repair.REDRIVE: self._redrive,
                Repair.REDELIVER: self._redeliver,
                Repair.ATTACH: self._attach,
                Repair.DEDUPLICATE: self._deduplicate,
            }
        )
        return await repairs[order.finding.repair](order.finding)

    async def _resend(self, finding: Finding) -> Repaired:
        asked = await self._asked(finding)
        handled = await self._requests.described(finding.request_id)
        if handled is not None and handled.run_id != finding.run_id:
            return Repaired(done=True, said="A workflow has been started meanwhile.")
        if asked is None or not asked.waits:
            return _GONE
        await self._odoo.calls.press(REQUEST, RESEND_BUTTON, [asked.record])
        return Repaired(done=True, said="Queued in Odoo again, under the same key.")

    async def _redrive(self, finding: Finding) -> Repaired:
        decision = Redrive(by=BY, reason="Odoo has no outcome", parking=finding.parking)
        handle = self._client.get_workflow_handle(finding.workflow_id or "", run_id=finding.run_id)
        try:
            async with asyncio.timeout(UPDATE_S):
                # Of equal updates, whoever sends them, the workflow takes one.
                await execute_update(handle, REDRIVE, [decision], update_id=f"{BY}-{finding.parking}")
        except WorkflowUpdateFailedError as error:
            return Repaired(done=False, said=f"The request refused the redrive: {error.cause}")
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
            return Repaired(done=False, said="No worker took the redrive in time.")
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return _GONE
        return Repaired(done=True, said="Redriven: the delivery is tried again.")

    async def _redeliver(self, finding: Finding) -> Repaired:
        asked = await self._asked(finding)
        handled = await self._requests.described(finding.request_id)
        if asked is None or handled is None or handled.run_id != finding.run_id:
            return _GONE
        letter = await self._requests.letter(finding)
        if letter is None:
            return Repaired(done=False, said="The workflow has no outcome that could be posted.")
        if letter.outcome.generated is not None and _is_whole(
            asked, await self._requests.with_images(handled), finding
        ):
            return _GONE
        await self._reopen(asked, finding)
        return Repaired(done=True, said="The outcome was posted again.", letter=letter)

    async def _reopen(self, asked: Asked, finding: Finding) -> None:
        """Make Odoo take the same outcome again: else it would call it a duplicate."""
        await self._remove([each.number for each in asked.attachments if each.number in finding.attachments])
        if asked.state == "completed":
            await self._odoo.calls.press(REQUEST, REOPEN_BUTTON, [asked.record])

    async def _attach(self, finding: Finding) -> Repaired:
        target = finding.target
        if target is None:
            return Repaired(done=False, said="The record is not known.")
        for image in finding.missing:
            where: Row = {"res_model": target.model, "res_id": target.record_id, "name": stored_name(image)}
            if await self._odoo.calls.search(ATTACHMENT, [[name, "=", value] for name, value in where.items()], 1):
                continue
            data = await self._blobs.read(image_key(image.sha256))
            if data is None:
                return Repaired(done=False, said=f"Image {image.sha256} is not in the store any more.")
            content = {"datas": base64.b64encode(data).decode(), "mimetype": image.media_type}
            await self._odoo.calls.create(ATTACHMENT, {**where, **content})
        return Repaired(done=True, said="Attached to its record again.")

    async def _deduplicate(self, finding: Finding) -> Repaired:
        asked = await self._asked(finding)
        spare = set(copies(asked.attachments)) & set(finding.attachments) if asked else set[int]()
        if not spare:
            return _GONE
        await self._remove(sorted(spare))
        return Repaired(done=True, said=f"Removed {len(spare)} exact copy or copies; the image itself stays.")

    async def _remove(self, attachments: list[int]) -> None:
        if attachments:
            await self._odoo.calls.unlink(ATTACHMENT, attachments)

    async def _asked(self, finding: Finding) -> Asked | None:
        found = await self._odoo.asked([finding.record] if finding.record else [])
        return found[0] if found else None


def _is_whole(asked: Asked, handled: Handled, finding: Finding) -> bool:
    """Whether Odoo has every image by now, as somebody else has repaired it."""
    return asked.state == "completed" and all(
        any(each.holds(image) and each.number not in finding.attachments for each in asked.attachments)
        for image in expected(handled)
    )
