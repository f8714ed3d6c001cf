"""`demo`: the whole product on this machine, from webhook to received image, in one command."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import sys
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.live import Live

from operations.console import err, json_option, out, print_json, run, stop_on_signals
from operations.demo.odoo import OdooDemo
from operations.demo.odoo import document as odoo_document
from operations.demo.odoo import succeeded as odoo_succeeded
from operations.demo.odoo import summary as odoo_summary
from operations.demo.odoo import table as odoo_table
from operations.demo.report import document, succeeded, summary, table
from operations.demo.requests import CALLBACK_FAULTS, IMAGE_FAULTS, plan
from operations.demo.run import DemoRun
from operations.demo.show import LivePicture
from operations.local_stack import Faults, LocalStack, curl_line, local_stack
from operations.odoo.installation import LOGIN, PASSWORD, OdooHome, OdooMissingError, get_odoo
from operations.supervisor import StartError

_T = TypeVar("_T")

PATIENCE_S = 120.0
"""Seconds after which what is not settled counts as failed."""
INTERRUPTED = 130
"""Exit code where a signal came before the end of the run, as shells have it for Ctrl-C."""


@click.command("demo")
@click.option("--exit", "leave", is_flag=True, help="End after the run; the exit code says whether all went well.")
@click.option("--requests", "each", default=2, show_default=True, type=click.IntRange(1, 500), help="Per dialect.")
@click.option("--latency", default=0.5, show_default=True, type=click.FloatRange(0, 60), help="Of the image service.")
@click.option("--odoo", "with_odoo", is_flag=True, help="With a real Odoo 19 and our addon in it.")
@json_option
def demo(*, leave: bool, each: int, latency: float, with_odoo: bool, as_json: bool) -> None:
    """Run everything on this machine and post real webhooks in every dialect."""
    shown = _odoo_demo if with_odoo else _demo
    directory = Path(tempfile.mkdtemp(prefix="orchestrator-demo-"))
    try:
        code = run(shown(directory, leave=leave, each=each, latency=latency, as_json=as_json))
    except OdooMissingError as error:
        shutil.rmtree(directory, ignore_errors=True)
        raise click.ClickException(f"no real Odoo here: {error}") from None
    except StartError as error:
        raise click.ClickException(str(error)) from None
    shutil.rmtree(directory, ignore_errors=True)
    sys.exit(code)


async def _demo(directory: Path, *, leave: bool, each: int, latency: float, as_json: bool) -> int:
    stop = stop_on_signals()
    faults = Faults(IMAGE_FAULTS, CALLBACK_FAULTS)
    local = local_stack(directory, faults=faults, latency_s=latency, usual_ports=not leave)
    try:
        demo_run = await _unless(stop, _start_and_post(local, each))
        if demo_run is None:
            return INTERRUPTED
        _report(demo_run, as_json=as_json)
        if not leave:
            _say_where(local)
            await stop.wait()
    finally:
        await local.stack.stop()
    return 0 if succeeded(demo_run) else 1


async def _odoo_demo(directory: Path, *, leave: bool, each: int, latency: float, as_json: bool) -> int:
    stop = stop_on_signals()
    local = local_stack(directory, faults=Faults(IMAGE_FAULTS), latency_s=latency, usual_ports=not leave)
    home = await _unless(stop, _get_odoo())
    if home is None:
        return INTERRUPTED
    odoo = OdooDemo(local, home, usual_ports=not leave)
    try:
        if await _unless(stop, _start_and_ask(odoo, each)) is None:
            return INTERRUPTED
        _report_odoo(odoo, as_json=as_json)
        if not leave:
            _say_where_odoo(local, odoo)
            await stop.wait()
    finally:
        await odoo.aclose()
        await local.stack.stop()
        home.remove()
    return 0 if odoo_succeeded(odoo.asked) else 1


async def _get_odoo() -> OdooHome:
    with err.status("getting Odoo: half a minute the first time", spinner="dots"):
        await get_odoo()
        return await OdooHome.new()


async def _start_and_ask(odoo: OdooDemo, each: int) -> OdooDemo:
    with err.status("starting", spinner="dots") as status:
        await odoo.start(status.update)
        status.update("Odoo asks for images")
        await odoo.run(each, PATIENCE_S)
    return odoo


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, _T]) -> _T | None:
    """What comes of the work, or None where `stop` is set first: the work is cancelled then."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if working.done():
        stopping.cancel()
        return working.result()
    err.print("stopping; calls in flight may finish first")
    working.cancel()
    await asyncio.wait({working})
    return None


async def _start_and_post(local: LocalStack, each: int) -> DemoRun:
    with err.status("starting", spinner="dots") as status:
        await local.stack.start(local.stand_ins, lambda name: status.update(f"{name} is up"))
    requests = plan(local.files, local.local, each, secrets.token_hex(2))
    demo_run = DemoRun(local.stack.client, local.stack.starter_url, local.local, requests)
    with Live(LivePicture(demo_run), console=err, refresh_per_second=8, transient=True):
        await demo_run.run(PATIENCE_S)
    return demo_run


def _report(demo_run: DemoRun, *, as_json: bool) -> None:
    if as_json:
        print_json(document(demo_run))
        return
    out.print(table(demo_run, out.width))
    out.print(summary(demo_run))


def _report_odoo(odoo: OdooDemo, *, as_json: bool) -> None:
    if as_json:
        print_json(odoo_document(odoo.asked))
        return
    out.print(odoo_table(odoo.asked))
    out.print(odoo_summary(odoo.asked))


def _say_where_odoo(local: LocalStack, odoo: OdooDemo) -> None:
    err.print(f"\nOdoo                {odoo.url}")
    err.print(f"Login               {LOGIN}, password {PASSWORD}")
    err.print(f"Temporal Web UI     {local.ui_url}")
    err.print(f"Webhooks            {local.stack.starter_url}/webhook/")
    err.print(f"Configuration       {local.config}")
    err.print("\nCtrl-C stops everything.")


def _say_where(local: LocalStack) -> None:
    err.print(f"\nTemporal Web UI     {local.ui_url}")
    err.print(f"Received images     {local.local.receiver_url}")
    err.print(f"Webhooks            {local.stack.starter_url}/webhook/")
    err.print(f"Temporal            TEMPORAL_ADDRESS={local.stack.address}")
    err.print(f"Configuration       {local.config}")
    err.print("\nTry one yourself:")
    err.print(curl_line(local), markup=False)
    err.print("\nCtrl-C stops everything.")
