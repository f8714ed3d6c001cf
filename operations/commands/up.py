"""`up`: Temporal's dev server, worker and starter on this machine, until Ctrl-C."""

from __future__ import annotations

from pathlib import Path

import click

from operations.console import Context, err, run, stop_on_signals
from operations.local_stack import LocalStack, configured_stack, curl_line, local_stack
from operations.supervisor import StartError
from runtime.configuration import config_path


@click.command("up")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("var"),
    show_default=True,
    help="Where the server's database, logs and, without a configuration, images are kept.",
)
@click.pass_obj
def up(context: Context, data: Path) -> None:
    """Run everything embedded on this machine; without a configuration, also an image service and a receiver."""
    try:
        run(_up(context, data))
    except StartError as error:
        raise click.ClickException(str(error)) from None


async def _up(context: Context, data: Path) -> None:
    stop = stop_on_signals()
    config = config_path(context.config)
    local = configured_stack(data, config, context.settings()) if config else local_stack(data)
    try:
        await local.stack.start(local.stand_ins, lambda name: err.print(f"{name} is up"))
        _say_where(local)
        await stop.wait()
        err.print("stopping")
    finally:
        await local.stack.stop()


def _say_where(local: LocalStack) -> None:
    err.print(f"\nTemporal Web UI     {local.ui_url}")
    err.print(f"Webhooks            {local.stack.starter_url}/webhook/")
    if local.stand_ins is not None:
        err.print(f"Received images     {local.stand_ins.receiver_url}")
        err.print(f"Configuration       {local.config}")
        err.print("\nTry one:")
        err.print(curl_line(local), markup=False)
    err.print("\nCtrl-C stops everything.")
