# ruff: noqa: SLF001 - the SDK offers no public way to a definition
"""No workflow or activity is forgotten: what is defined is what workers register."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules, walk_packages

from temporalio import activity, workflow

import activities
import workflows
from activities import Activities
from contracts import names
from operations.demo.configuration import write_configuration
from operations.stack import StandIns
from runtime.blobs import LocalBlobStore
from runtime.configuration import load_settings
from tests.temporal_server import unconnected


def test_every_workflow_is_registered() -> None:
    modules = [import_module(f"workflows.{found.name}") for found in iter_modules(workflows.__path__)]
    defined = {
        value
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value) and workflow._Definition.from_class(value)
    }
    assert defined == set(workflows.WORKFLOWS)


async def test_every_activity_is_registered_on_its_queue(tmp_path: Path) -> None:
    files = write_configuration(tmp_path, 5678, StandIns(9001, 9002))
    settings = load_settings(files.config)
    built = Activities(settings, LocalBlobStore(tmp_path), await unconnected())
    try:
        queues = {queue.queue: {_wire_name(each) for each in queue.activities} for queue in built.queues()}
    finally:
        await built.aclose()
    images = {names.GENERATE, names.COLLECT, names.CANCEL_JOB}
    jobs = {names.POLL, names.STORE, names.COLLECT, names.CANCEL_JOB}
    maintenance = queues.pop(names.MAINTENANCE_QUEUE)
    assert queues == {
        **{names.images_queue(service): images for service in settings.services},
        **{names.jobs_queue(service): jobs for service in settings.services},
        **{names.callbacks_queue(odoo): {names.DELIVER, names.READ_RECORD} for odoo in settings.odoos},
    }
    registered = set().union(*queues.values(), maintenance)
    assert registered == _defined()


def _defined() -> set[str | None]:
    """Every activity that some module of ours defines."""
    modules = [import_module(found.name) for found in walk_packages(activities.__path__, "activities.")]
    classes = {value for module in modules for value in vars(module).values() if inspect.isclass(value)}
    functions = [function for each in classes for function in vars(each).values() if inspect.isfunction(function)]
    return {definition.name for each in functions if (definition := activity._Definition.from_callable(each))}


def _wire_name(function: object) -> str | None:
    assert callable(function)
    definition = activity._Definition.from_callable(function)
    return definition.name if definition else None
