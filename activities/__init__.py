"""Side effects: image services, image store, callbacks to Odoo. The registry of activities and their queues."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from activities.delivery import DeliveryActivities
from activities.generation import GenerationActivities
from activities.records import Records
from activities.services.base import ImageService
from activities.services.registry import build_services
from activities.services.transport import new_client
from contracts import names
from runtime.blobs import BlobStore
from runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class QueueActivities:
    """The activities that one task queue serves, and how fast."""

    queue: str
    activities: tuple[Callable[..., Any], ...]
    slots: int
    rate_per_second: float | None


class Activities:
    """Everything one worker can do, built once: clients, settings, store."""

    def __init__(self, settings: Settings, blobs: BlobStore) -> None:
        self._settings = settings
        records = Records(blobs)
        self._services: Mapping[str, ImageService] = build_services(settings)
        self._odoos = {name: new_client(keepalive=True) for name in settings.odoos}
        self.generation = GenerationActivities(self._services, settings.services, records)
        self.delivery = DeliveryActivities(settings, records, self._odoos)

    def queues(self) -> list[QueueActivities]:
        """One queue per image-service account, one per Odoo: the server enforces the rate of each."""
        images = (self.generation.generate_image, self.generation.collect_images, self.generation.cancel_job)
        worker = self._settings.worker
        services = [
            QueueActivities(names.images_queue(name), images, worker.image_slots, service.rate_per_second)
            for name, service in self._settings.services.items()
        ]
        callbacks = (self.delivery.deliver_callback,)
        odoos = [
            QueueActivities(names.callbacks_queue(name), callbacks, worker.callback_slots, odoo.rate_per_second)
            for name, odoo in self._settings.odoos.items()
        ]
        return [*services, *odoos]

    async def aclose(self) -> None:
        """Close all connections."""
        for service in self._services.values():
            await service.aclose()
        for odoo in self._odoos.values():
            await odoo.aclose()
