"""`status` and `cancel`: one request by its id."""

from __future__ import annotations

import asyncio

import click
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError

from contracts import names
from contracts.decisions import Status
from operations.console import Context, json_option, print_facts, print_json, run, say, warn
from starter.api import executions
from starter.api.executions import RequestState

QUERY_S = 2.0
"""Seconds a worker has to tell a request's log."""

route_option = click.option("--route", help="The route, where the id was used on several.")


@click.command()
@click.argument("request_id", metavar="ID")
@route_option
@json_option
@click.pass_obj
def status(context: Context, *, request_id: str, route: str | None, as_json: bool) -> None:
    """Show where a request stands; its log needs a running worker."""
    run(_status(context, request_id, route, as_json=as_json))


async def _status(context: Context, request_id: str, route: str | None, *, as_json: bool) -> None:
    settings = context.settings()
    client = await context.client()
    state = await executions.find_request(client, settings, request_id, route)
    told = await ask_worker(client, state)
    if as_json:
        log = None if told is None else list(told.log)
        result = told.result.model_dump(mode="json") if told and told.result else None
        print_json({**state.model_dump(mode="json"), "log": log, "result": result})
    else:
        show(state, told)


@click.command()
@click.argument("request_id", metavar="ID")
@route_option
@json_option
@click.pass_obj
def cancel(context: Context, *, request_id: str, route: str | None, as_json: bool) -> None:
    """Cancel a request: the job at the service too, where it can be; Odoo is told."""
    run(_cancel(context, request_id, route, as_json=as_json))


async def _cancel(context: Context, request_id: str, route: str | None, *, as_json: bool) -> None:
    settings = context.settings()
    client = await context.client()
    state = await executions.find_request(client, settings, request_id, route)
    await executions.cancel(client, state)
    if as_json:
        print_json({"request_id": request_id, "route": state.route, "cancel_requested": True})
    else:
        say(f"{request_id}: the cancellation is asked for; the request ends as soon as a worker takes it")


async def ask_worker(client: Client, state: RequestState) -> Status | None:
    """What the request says of itself, or None where no worker answers in time."""
    handle = client.get_workflow_handle(state.workflow_id, run_id=state.run_id)
    try:
        async with asyncio.timeout(QUERY_S):
            told: Status = await handle.query(names.STATUS, result_type=Status)
    except (TimeoutError, RPCError, WorkflowQueryFailedError):
        return None
    return told


def show(state: RequestState, told: Status | None) -> None:
    """Print what is known of a request."""
    print_facts(f"Request {state.request_id}", {**_standing(state), **_why_parked(state), **_images(told)})
    if told is None:
        warn("no worker answered: the request's log is not shown")
    else:
        say("\n".join(["", *told.log]))


def _standing(state: RequestState) -> dict[str, object]:
    return {
        "stage": state.stage,
        "outcome": state.outcome,
        "route": state.route,
        "service": state.service,
        "failure code": state.failure_code,
        "started": f"{state.started:%Y-%m-%d %H:%M:%S} UTC",
        "ended": f"{state.closed:%Y-%m-%d %H:%M:%S} UTC" if state.closed else None,
        "workflow": f"{state.workflow_id} ({state.status})",
    }


def _why_parked(state: RequestState) -> dict[str, object]:
    if state.parked is None or not state.open:
        return {}
    failure = state.parked.failure
    return {
        "dead letter": f"number {state.parked.parking}, at step {state.parked.step}",
        "since": f"{state.parked.since:%Y-%m-%d %H:%M:%S} UTC",
        "cause": failure.failure,
        "message": failure.message,
        "HTTP status": failure.http_status,
        "service's code": failure.provider_code,
        "what to do": failure.rule.remedy,
    }


def _images(told: Status | None) -> dict[str, object]:
    if told is None or told.result is None or told.result.generated is None:
        return {}
    return {"images": "\n".join(f"sha256 {image.sha256}" for image in told.result.generated.images)}
