"""`deployments`: which version of the workers takes the workflow tasks; ramp, switch, roll back (docs/deploying.md)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import asdict
from typing import Any

import click
from temporalio.client import Client

from operations import deployments as versions
from operations.console import Context, json_option, print_json, print_table, run, say, warn


@click.group()
def deployments() -> None:
    """Versions of the workers (worker.deployment_name, worker.build_id): list, ramp, switch, roll back."""


@deployments.command("list")
@json_option
@click.pass_obj
def list_deployments(context: Context, *, as_json: bool) -> None:
    """List the versions and where workflow tasks go. A version that is drained may be stopped."""
    ours = context.settings().worker.deployment_name
    found = run(_with_client(context, lambda client: versions.deployments(client, ours)))
    if as_json:
        print_json([asdict(one) for one in found])
    elif not found:
        warn("there is no Worker Deployment: no worker with worker.deployment_name has run here")
    for one in () if as_json else found:
        rows = [(version.build_id, version.status) for version in one.versions]
        say(f"{one.name}: {one.routing}")
        print_table("", ("Build", "Status"), rows)


@deployments.command("set-current")
@click.argument("build_id", required=False)
@click.option("--unversioned", is_flag=True, help="Workers without a version, in place of BUILD_ID.")
@click.option("--unpolled", is_flag=True, help="Even where none of its workers runs yet.")
@click.pass_obj
def set_current(context: Context, *, build_id: str | None, unversioned: bool, unpolled: bool) -> None:
    """Send every workflow task to the workers of BUILD_ID. Open requests move over with their next step."""
    if bool(build_id) == unversioned:
        raise click.UsageError("name one BUILD_ID, or --unversioned")
    name = _name(context)
    run(_with_client(context, lambda client: versions.set_current(client, name, build_id, unpolled=unpolled)))
    say(f"{name}: everything goes to {build_id or versions.NO_VERSIONS}")


@deployments.command()
@click.argument("build_id")
@click.argument("percent", type=click.FloatRange(0, 100, min_open=True))
@click.pass_obj
def ramp(context: Context, *, build_id: str, percent: float) -> None:
    """Send PERCENT of the requests to the workers of BUILD_ID, the rest to the current ones."""
    name = _name(context)
    run(_with_client(context, lambda client: versions.ramp(client, name, build_id, percent)))
    say(f"{name}: {percent:g} % of the requests go to {build_id}")


@deployments.command()
@click.pass_obj
def rollback(context: Context) -> None:
    """Undo the last step: end a ramp, or go back to the version that was current before."""
    name = _name(context)
    try:
        done = run(_with_client(context, lambda client: versions.roll_back(client, name)))
    except versions.DeploymentError as error:
        raise click.ClickException(str(error)) from None
    say(f"{name}: {done}")


async def _with_client(context: Context, work: Callable[[Client], Coroutine[Any, Any, Any]]) -> Any:  # noqa: ANN401
    return await work(await context.client())


def _name(context: Context) -> str:
    name = context.settings().worker.deployment_name
    if name is None:
        raise click.UsageError("worker.deployment_name is not set: workers have no versions here")
    return name
