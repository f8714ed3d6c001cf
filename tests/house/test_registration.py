# ruff: noqa: SLF001 - the SDK offers no public way to a definition
"""No workflow or activity is forgotten: what is defined is what workers register."""

from __future__ import annotations

import inspect
from pathlib import Path

from temporalio import activity, workflow

from activities import Activities
from contracts import names
from operations.demo.configuration import write_configuration
from operations.stack import StandIns
from runtime.blobs import LocalBlobStore
from runtime.configuration import load_settings
from workflows import WORKFLOWS, image_generation


def test_every_workflow_is_registered() -> None:
    defined = {
        value
        for value in vars(image_generation).values()
        if inspect.isclass(value) and workflow._Definition.from_class(value)
    }
    assert defined == set(WORKFLOWS)


async def test_every_activity_is_registered_on_its_queue(tmp_path: Path) -> None:
    files = write_configuration(tmp_path, 5678, StandIns(9001, 9002))
    settings = load_settings(files.config)
    activities = Activities(settings, LocalBlobStore(tmp_path))
    try:
        queues = {queue.queue: {_wire_name(each) for each in queue.activities} for queue in activities.queues()}
    finally:
        await activities.aclose()
    images = {names.GENERATE, names.COLLECT, names.CANCEL_JOB}
    assert queues == {
        **{names.images_queue(service): images for service in settings.services},
        **{names.callbacks_queue(odoo): {names.DELIVER} for odoo in settings.odoos},
    }


def _wire_name(function: object) -> str | None:
    assert callable(function)
    definition = activity._Definition.from_callable(function)
    return definition.name if definition else None
