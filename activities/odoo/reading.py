"""`read-record`: complete a request from the record that Odoo's webhook named."""

from __future__ import annotations

import asyncio

from structlog.contextvars import bound_contextvars
from temporalio import activity

from activities.attempts import AttemptFailedError, run_attempt
from activities.odoo.connections import OdooConnections
from activities.odoo.errors import OdooRefusedError, missing, unanswered
from contracts import names
from contracts.dialects.odoo_action import completed, lacking
from contracts.errors import FailureClass, make_failure
from contracts.requests import ReadRecordInput, RecordRead
from runtime.settings import RecordSettings, Settings


class RecordActivities:
    """The activities of one worker that read records."""

    def __init__(self, settings: Settings, connections: OdooConnections) -> None:
        self._settings = settings
        self._connections = connections

    @activity.defn(name=names.READ_RECORD)
    async def read_record(self, call: ReadRecordInput) -> RecordRead:
        """The request with what it lacked; a problem where the record does not say it either."""
        with bound_contextvars(request_id=call.reference.request_id):
            return await run_attempt(call.policy, lambda: self._read(call))

    async def _read(self, call: ReadRecordInput) -> RecordRead:
        fields = record_settings(self._settings, call.route).fields.names()
        wanted = lacking(call.request, fields)
        if not wanted:
            return completed(call.request, {}, fields)
        port = self._connections.port(call.odoo, call.policy.timeout_s)
        record = call.record
        try:
            async with asyncio.timeout(call.policy.timeout_s):
                found = await port.read(record.model, [record.record_id], sorted(set(wanted.values())))
        except TimeoutError as error:
            raise unanswered(error, []).as_attempt() from None
        except OdooRefusedError as error:
            raise error.as_attempt() from None
        if not found:
            raise missing(record.model, record.record_id).as_attempt()
        return completed(call.request, found[0], fields)


def record_settings(settings: Settings, route: str) -> RecordSettings:
    """What the route says of its records; raises `AttemptFailedError` where it says nothing any more."""
    found = settings.routes.get(route)
    if found is None or found.record is None:
        message = f"routes.{route}.record is not configured here any more: add it again, then redrive"
        raise AttemptFailedError(make_failure(FailureClass.CALLBACK_REFUSED, message))
    return found.record
