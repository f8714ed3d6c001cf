"""`worker` and `starter`: the two long-running processes of a deployment."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import click
import structlog
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

import worker as worker_process
from activities.measuring import measured
from contracts.names import WORKFLOW_QUEUE
from operations.console import Context, run, stop_on_signals
from operations.worker_health import WorkerHealth
from runtime.bootstrap import check_namespace
from runtime.configuration import ConfigurationError, usable_problems
from runtime.logs import configure_logging
from runtime.metrics_observer import observing
from runtime.settings import Settings
from runtime.temporal import connect
from runtime.tracing import tracing
from starter.wire import server

CONNECT_WAIT_S = 30.0
"""Seconds a worker waits for Temporal at its start: both often start together."""
_POLL_S = 0.1

_Command = TypeVar("_Command", bound=Callable[..., object])
_log = structlog.get_logger(__name__)


def _json_logs(command: _Command) -> _Command:
    text = "Write logs, and so readiness, as JSON lines on standard output."
    return click.option("--json", "as_json", is_flag=True, help=text)(command)


@click.command()
@_json_logs
@click.pass_obj
def worker(context: Context, *, as_json: bool) -> None:
    """Run the worker: workflows, image calls, callbacks. SIGTERM lets calls in flight finish."""
    settings = _prepared(context, as_json=as_json)
    with tracing(settings.tracing, "worker"):
        run(_work(settings))


@click.command()
@_json_logs
@click.pass_obj
def starter(context: Context, *, as_json: bool) -> None:
    """Run the webhook front. Temporal may come later: until then requests get 503 with Retry-After."""
    settings = _prepared(context, as_json=as_json)
    with tracing(settings.tracing, "starter"):
        run(_serve(settings))


def _prepared(context: Context, *, as_json: bool) -> Settings:
    settings = context.settings()
    problems = usable_problems(settings)
    if problems:
        raise ConfigurationError(problems)
    if as_json:
        configure_logging(settings.logging.model_copy(update={"format": "json"}), stream=sys.stdout)
    else:
        configure_logging(settings.logging)
    return settings


async def _work(settings: Settings) -> None:
    client = await connect(
        encryption=settings.encryption, wait_s=CONNECT_WAIT_S, metrics_bind=settings.worker.metrics_bind
    )
    await check_namespace(client)
    stop = stop_on_signals()
    health = WorkerHealth(client, stop)
    async with (
        health.serving(settings.worker.health_bind),
        _announced(client, settings, health),
        observing(client, settings),
    ):
        await worker_process.run(measured(client, settings), settings, stop)
    _log.info("worker_stopped")


async def _serve(settings: Settings) -> None:
    await server.serve(settings, stop_on_signals())
    _log.info("starter_stopped")


@contextlib.asynccontextmanager
async def _announced(client: Client, settings: Settings, health: WorkerHealth) -> AsyncIterator[None]:
    """Say that the worker is ready once Temporal sees it poll."""
    announcing = asyncio.create_task(_announce(client, settings, health))
    try:
        yield
    finally:
        announcing.cancel()
        await asyncio.gather(announcing, return_exceptions=True)


async def _announce(client: Client, settings: Settings, health: WorkerHealth) -> None:
    while True:
        if await _polls(client):
            break
        await asyncio.sleep(_POLL_S)
    health.polls.set()
    _log.info(
        "worker_ready",
        namespace=client.namespace,
        services=sorted(settings.services),
        odoos=sorted(settings.odoos),
    )


async def _polls(client: Client) -> bool:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=WORKFLOW_QUEUE),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    try:
        pollers = (await client.workflow_service.describe_task_queue(request)).pollers
    except RPCError:
        return False
    return any(poller.identity == client.identity for poller in pollers)
