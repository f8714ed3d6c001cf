"""`plan-reconciliation`, `compare-with-odoo`, `repair-finding`: both sides compared and brought together."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.attempts import AttemptFailedError
from activities.odoo.connections import OdooConnections
from activities.odoo.errors import OdooRefusedError
from activities.reconciling_comparison import Comparing
from activities.reconciling_odoo import OdooSide
from activities.reconciling_repairs import Repairs
from activities.reconciling_requests import RequestSide
from contracts import names
from contracts.callbacks import Verdict
from contracts.reconciliation import (
    FOLDER,
    KEPT_S,
    MOST_NAMED,
    Comparison,
    Finding,
    ReconcileOrder,
    ReconcilePlan,
    ReconcileTask,
    Repaired,
    RepairOrder,
)
from runtime.blobs import BlobStore
from runtime.settings import Settings

log = structlog.get_logger(__name__)

CALL_S = 60.0
"""Seconds for one call to Odoo."""


class ReconciliationActivities:
    """The activities of one worker that reconcile."""

    def __init__(self, settings: Settings, blobs: BlobStore, connections: OdooConnections) -> None:
        self._settings = settings
        self._blobs = blobs
        self._connections = connections

    @activity.defn(name=names.PLAN_RECONCILIATION)
    async def plan_reconciliation(self, order: ReconcileOrder) -> ReconcilePlan:
        """What the order means by this worker's settings; one that names an Odoo that cannot be asked is refused."""
        able = {name for name, odoo in self._settings.odoos.items() if odoo.rpc and odoo.reconcile.enabled}
        unable = sorted(set(order.odoos) - able)
        if unable:
            message = f"odoos.{unable[0]} is unknown, has no rpc, or reconcile.enabled is false"
            raise ApplicationError(message, non_retryable=True)
        chosen = [name for name in sorted(able) if not order.odoos or name in order.odoos]
        return ReconcilePlan(tasks=tuple(self._task(order, name) for name in chosen))

    @activity.defn(name=names.COMPARE_WITH_ODOO)
    async def compare_with_odoo(self, task: ReconcileTask) -> Comparison:
        """Compare both sides; all findings go to the store, the first of them into the answer."""
        async with _told():
            odoo, requests = self._odoo(task), RequestSide(activity.client(), self._settings, task.odoo)
            comparing = Comparing(task, odoo, requests, time.time(), activity.heartbeat)
            await comparing.run(self._settings.routes)
            findings = sorted(comparing.findings, key=lambda finding: finding.repair is None or finding.ordered_only)
            await self._forget_old()
            comparison = Comparison(
                asked=comparing.asked,
                handled=comparing.handled,
                counts=dict(Counter(finding.kind for finding in findings)),
                findings=tuple(findings[:MOST_NAMED]),
                report=await self._reported(task, findings) if findings else None,
                notes=tuple(comparing.notes),
            )
        log.info("sides_compared", odoo=task.odoo, asked=comparison.asked, handled=comparison.handled)
        return comparison

    @activity.defn(name=names.REPAIR_FINDING)
    async def repair_finding(self, order: RepairOrder) -> Repaired:
        """Repair one finding; by the clock only once, and only what needs no order of a person."""
        task, finding = order.task, order.finding
        if not task.ordered and finding.ordered_only:
            return Repaired(done=False, said="Repaired only by order: orchestrator reconcile --repair")
        note = finding.note_key(task.odoo)
        async with _told():
            if not task.ordered and await self._blobs.stat(note) is not None:
                return Repaired(
                    done=False, said="It was repaired before and is back: look at it, or repair it by order."
                )
            requests = RequestSide(activity.client(), self._settings, task.odoo)
            repaired = await Repairs(activity.client(), self._blobs, self._odoo(task), requests).repair(order)
            if repaired.done:
                await self._blobs.write(note, b"")
        log.info(
            "finding_repaired", odoo=task.odoo, kind=finding.kind, request_id=finding.request_id, done=repaired.done
        )
        return repaired

    def _task(self, order: ReconcileOrder, name: str) -> ReconcileTask:
        odoo = self._settings.odoos[name]
        chosen = odoo.reconcile
        return ReconcileTask(
            odoo=name,
            database=odoo.database,
            since_s=order.since_s or chosen.window_hours * 3600,
            grace_s=chosen.grace_minutes * 60,
            batch=chosen.batch,
            repair=chosen.repair if order.repair is None else order.repair,
            repairs=chosen.repairs,
            ordered=order.by is not None,
        )

    def _odoo(self, task: ReconcileTask) -> OdooSide:
        return OdooSide(self._connections.port(task.odoo, CALL_S), self._blobs)

    async def _reported(self, task: ReconcileTask, findings: Sequence[Finding]) -> str:
        info = activity.info()
        key = f"{FOLDER}/reports/{datetime.now(UTC):%Y-%m-%d}/{info.workflow_run_id}-{task.odoo}.json"
        document = [finding.model_dump(mode="json") for finding in findings]
        await self._blobs.write(key, json.dumps(document, ensure_ascii=False).encode())
        return key

    async def _forget_old(self) -> None:
        old = time.time() - KEPT_S
        async for entry in self._blobs.list(FOLDER):
            if entry.modified_at < old:
                await self._blobs.delete(entry.key)


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """Failures as one line: final where repeating cannot help."""
    try:
        yield
    except OdooRefusedError as error:
        raise ApplicationError(error.reason, type="OdooRefused", non_retryable=error.verdict is Verdict.FINAL) from None
    except AttemptFailedError as error:
        raise ApplicationError(error.failure.message, type="OdooRefused", non_retryable=True) from None
    except OSError as error:
        raise ApplicationError(f"the store failed: {error.strerror or error}", type="StoreFailed") from None
