"""`up`: Temporal's dev server, worker and starter on this machine, until Ctrl-C."""

from __future__ import annotations

from pathlib import Path

import click

from operations.console import Context, err, json_option, print_json, run, stop_on_signals
from operations.local_stack import LocalStack, configured_stack, curl_line, local_stack
from operations.schedules import ensure_schedules
from operations.supervisor import StartError
from runtime.configuration import config_path, load_settings


@click.command("up")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("var"),
    show_default=True,
    help="Where the server's database, logs and, without a configuration, images are kept.",
)
@click.option("--free-ports", is_flag=True, help="Use any free ports in place of the usual ones.")
@json_option
@click.pass_obj
def up(context: Context, data: Path, *, free_ports: bool, as_json: bool) -> None:
    """Run everything embedded on this machine; without a configuration, also an image service and a receiver."""
    try:
        run(_up(context, data, usual_ports=not free_ports, as_json=as_json))
    except StartError as error:
        raise click.ClickException(str(error)) from None


async def _up(context: Context, data: Path, *, usual_ports: bool, as_json: bool) -> None:
    stop = stop_on_signals()
    config = config_path(context.config)
    if config:
        local = configured_stack(data, config, context.settings(), usual_ports=usual_ports)
    else:
        local = local_stack(data, usual_ports=usual_ports)
    try:
        await local.stack.start(local.stand_ins, lambda name: err.print(f"{name} is up"))
        await ensure_schedules(local.stack.client, load_settings(local.config))
        if as_json:
            print_json(_where(local))
        else:
            _say_where(local)
        await stop.wait()
        err.print("stopping; calls in flight may finish first")
    finally:
        await local.stack.stop()


def _where(local: LocalStack) -> dict[str, str | None]:
    return {
        "web_ui": local.ui_url,
        "codec_server": local.codec_url,
        "temporal_address": local.stack.address,
        "webhooks": f"{local.stack.starter_url}/webhook/",
        "received_images": local.stand_ins.receiver_url if local.stand_ins else None,
        "configuration": str(local.config),
    }


def _say_where(local: LocalStack) -> None:
    err.print(f"\nTemporal Web UI     {local.ui_url}")
    if local.codec_url is not None:
        err.print(f"Sign in for clear text at {local.codec_url} (docs/security.md)")
    err.print(f"Webhooks            {local.stack.starter_url}/webhook/")
    err.print(f"Temporal            TEMPORAL_ADDRESS={local.stack.address}")
    if local.stand_ins is not None:
        err.print(f"Received images     {local.stand_ins.receiver_url}")
        err.print(f"Configuration       {local.config}")
        err.print("\nTry one:")
        err.print(curl_line(local), markup=False)
    err.print("\nCtrl-C stops everything.")
