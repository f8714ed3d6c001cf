"""Side effects: image services, image store, callbacks to Odoo. The registry of activities and their queues."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client

from activities.accounts import Accounts, ensure_accounts
from activities.alerts import AlertActivities, ensure_alerts
from activities.dead_letter_batches import DeadLetterBatchActivities
from activities.delivery import DeliveryActivities
from activities.directory import Doorbell, ServiceDirectory
from activities.generation import GenerationActivities
from activities.jobs import JobActivities
from activities.ledger import Ledger, LedgerActivities
from activities.odoo.connections import OdooConnections
from activities.odoo.reading import RecordActivities
from activities.queue_rates import QueueRates
from activities.reconciliation import ReconciliationActivities
from activities.records import Records
from activities.retention import RetentionActivities
from activities.services.base import ImageService
from activities.services.registry import build_services
from activities.services.transport import new_client
from activities.slot_holders import SlotHolders
from activities.storing import Storing
from contracts import names
from runtime.blobs import BlobStore
from runtime.settings import Settings
from runtime.store_check import usable_store

WAITS_PER_CALL = 4
"""Jobs that are waited for, per slot for calls: one that waits costs next to nothing, and must not hold up downloads
and cancellations, which take the same slots."""
MAINTENANCE_SLOTS = 8
"""Activities of maintenance at once, per worker."""


@dataclass(frozen=True, slots=True)
class QueueActivities:
    """The activities that one task queue serves, and how fast."""

    queue: str
    activities: tuple[Callable[..., Any], ...]
    slots: int
    rate_per_second: float | None


async def open_activities(client: Client, settings: Settings) -> Activities:
    """The activities over a store that was tried out, once each account knows its configured limits."""
    store = await usable_store(settings.store)
    await ensure_accounts(client, settings)
    await ensure_alerts(client, settings)
    return Activities(settings, store, client)


class Activities:
    """Everything one worker can do, built once: clients, settings, store."""

    def __init__(self, settings: Settings, blobs: BlobStore, client: Client) -> None:
        self._settings = settings
        records = Records(blobs)
        self._services: Mapping[str, ImageService] = build_services(settings)
        self._odoos = {name: new_client(keepalive=True) for name in settings.odoos}
        directory = ServiceDirectory(self._services, settings.services, Doorbell.of(settings))
        ledger = Ledger(blobs)
        storing = Storing(directory, records, ledger)
        accounts = Accounts(client, settings.services)
        self.generation = GenerationActivities(directory, records, ledger, storing, accounts)
        self.queue_rates, self.slot_holders = QueueRates(client), SlotHolders(client)
        self.jobs = JobActivities(directory, records, storing)
        self.ledger = LedgerActivities(ledger)
        self._connections = OdooConnections(settings.odoos, self._odoos)
        self.delivery = DeliveryActivities(settings, records, self._odoos, self._connections)
        self.retention = RetentionActivities(settings, blobs)
        self.reconciliation = ReconciliationActivities(settings, blobs, self._connections)
        self.dead_letter_batches = DeadLetterBatchActivities(client, blobs)
        self.records = RecordActivities(settings, self._connections)
        self.alerts = AlertActivities(settings, client)

    def queues(self) -> list[QueueActivities]:
        """One queue per image-service account, one per Odoo: the server enforces the rate of each."""
        worker = self._settings.worker
        # Requests from before 0.2.0 still collect and cancel their jobs on the queue of the calls.
        images = (self.generation.generate_image, self.jobs.collect_images, self.jobs.cancel_job)
        services = [
            QueueActivities(names.images_queue(name), images, worker.image_slots, service.rate_per_second)
            for name, service in self._settings.services.items()
        ]
        waits = (self.jobs.poll_job, self.jobs.store_images, self.jobs.collect_images, self.jobs.cancel_job)
        jobs = [
            QueueActivities(names.jobs_queue(name), waits, WAITS_PER_CALL * worker.image_slots, None)
            for name in self._settings.services
        ]
        callbacks = (self.delivery.deliver_callback, self.records.read_record)
        odoos = [
            QueueActivities(names.callbacks_queue(name), callbacks, worker.callback_slots, odoo.rate_per_second)
            for name, odoo in self._settings.odoos.items()
        ]
        return [*services, *jobs, *odoos, self._maintenance()]

    def _maintenance(self) -> QueueActivities:
        chores = (
            self.retention.sweep_store,
            self.ledger.compact_ledger,
            self.queue_rates.set_queue_rate,
            self.slot_holders.find_lost_holders,
            self.reconciliation.plan_reconciliation,
            self.reconciliation.compare_with_odoo,
            self.reconciliation.repair_finding,
            self.alerts.observe,
            self.alerts.send_alert,
            self.dead_letter_batches.select_dead_letters,
            self.dead_letter_batches.decide_dead_letters,
            self.dead_letter_batches.look_at_dead_letters,
        )
        return QueueActivities(names.MAINTENANCE_QUEUE, chores, MAINTENANCE_SLOTS, None)

    async def aclose(self) -> None:
        """Close all connections."""
        for service in self._services.values():
            await service.aclose()
        self._connections.close()
        for odoo in self._odoos.values():
            await odoo.aclose()
