"""A worker with the real workflows and the real desk, whose image service obeys files and prompts.

As a process of its own, to be killed: `python -P -m tests.dead_letters.desk_worker ADDRESS DIRECTORY`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.dead_letter_batches import DeadLetterBatchActivities
from contracts import names
from contracts.errors import FailureClass, make_failure
from contracts.identity import sha256_hex
from contracts.requests import DeliverInput, DeliveryReceipt, GeneratedImages, GenerateInput, Generation, StoredImage
from runtime.blobs import LocalBlobStore
from runtime.settings import WorkerSettings
from tests.temporal_server import connected
from workflows import WORKFLOWS, sandbox

HOPELESS, NO_ODOO, UNKNOWN = "hopeless", "no-odoo", "unknown"
"""In a prompt: the image can never be made. In a request id: Odoo refuses the callback until there is an `odoo`."""
SERVICES = ("main", "spare")


class Service:
    """Makes one image once the account has credit: the file `credit` is there. `spare` always has."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @activity.defn(name=names.GENERATE)
    async def generate_image(self, call: GenerateInput) -> Generation:
        credit = call.service == "spare" or (self._directory / "credit").exists()
        if UNKNOWN in call.request.prompt and call.generation == 1:
            raise _final(FailureClass.OUTCOME_UNKNOWN, "no answer at all")
        if HOPELESS in call.request.prompt or not credit:
            raise _final(FailureClass.QUOTA_EXHAUSTED, "no credit left")
        self._note("generated", f"{call.reference.request_id}-{call.generation}")
        image = StoredImage(sha256=sha256_hex(b"x"), media_type="image/png", size=1, width=8, height=8)
        return Generation(generated=GeneratedImages(service=call.service, images=(image,)))

    @activity.defn(name=names.DELIVER)
    async def deliver_callback(self, call: DeliverInput) -> DeliveryReceipt:
        if call.outcome.generated and NO_ODOO in call.reference.request_id and not (self._directory / "odoo").exists():
            raise _final(FailureClass.CALLBACK_REFUSED, "not today")
        return DeliveryReceipt(http_status=200)

    def _note(self, kind: str, name: str) -> None:
        folder = self._directory / kind
        folder.mkdir(exist_ok=True)
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write("once\n")


def _final(failure: FailureClass, message: str) -> ApplicationError:
    return ApplicationError(message, make_failure(failure, message), None, type=failure, non_retryable=True)


@asynccontextmanager
async def at_work(client: Client, directory: Path) -> AsyncIterator[None]:
    """The worker in this process."""
    service, desk = Service(directory), DeadLetterBatchActivities(client, LocalBlobStore(directory / "images"))
    chores: list[Callable[..., Any]] = [
        desk.select_dead_letters,
        desk.decide_dead_letters,
        desk.look_at_dead_letters,
    ]
    queues: list[tuple[str, dict[str, Any]]] = [
        (
            names.WORKFLOW_QUEUE,
            {
                "workflows": WORKFLOWS,
                "activities": [service.deliver_callback],
                "workflow_runner": sandbox(),
                "max_concurrent_workflow_tasks": WorkerSettings().workflow_tasks,
            },
        ),
        *((names.images_queue(name), {"activities": [service.generate_image]}) for name in SERVICES),
        (names.callbacks_queue("main"), {"activities": [service.deliver_callback]}),
        (names.MAINTENANCE_QUEUE, {"activities": chores}),
    ]
    async with AsyncExitStack() as stack:
        for queue, work in queues:
            await stack.enter_async_context(Worker(client, task_queue=queue, **work))
        yield


async def main(address: str, directory: Path) -> None:
    """Work until killed."""
    async with at_work(await connected(address), directory):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
