"""`sweep-store`: delete from the store what nobody needs any more."""

from __future__ import annotations

import time

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.open_requests import find_open_requests
from activities.sweeping import Sweep
from contracts import names
from contracts.retention import SweepCursor, SweepOrder, SweepReport
from runtime.blobs import BlobStore
from runtime.settings import Settings
from runtime.store_settings import retention_s

log = structlog.get_logger(__name__)


class RetentionActivities:
    """The activity of one worker that keeps the store from growing without end."""

    def __init__(self, settings: Settings, blobs: BlobStore) -> None:
        self._retention_s = retention_s(settings)
        self._blobs = blobs

    @activity.defn(name=names.SWEEP)
    async def sweep_store(self, order: SweepOrder) -> SweepReport:
        """Go through the store once. An attempt that was interrupted goes on where the last heartbeat was."""
        cursor = _cursor()
        cutoff = time.time() - self._retention_s
        try:
            needed = await find_open_requests(
                activity.client(), self._blobs, cutoff, lambda: activity.heartbeat(cursor)
            )
            report = await Sweep(self._blobs, needed, cutoff, dry_run=order.dry_run).run(cursor, activity.heartbeat)
        except OSError as error:
            # Without the traceback that a plain error would carry into the history.
            raise ApplicationError(f"the store failed: {error.strerror or error}", type="StoreFailed") from None
        log.info("store_swept", retention_s=self._retention_s, **report.model_dump())
        return report


def _cursor() -> SweepCursor:
    details = activity.info().heartbeat_details
    return SweepCursor.model_validate(details[0]) if details else SweepCursor()
