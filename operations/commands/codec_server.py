"""`codec-server`: decrypts for the Web UI, for those who may read clear text."""

from __future__ import annotations

import sys

import click
import structlog

from operations.codec_server.app import create_app
from operations.console import Context, run, stop_on_signals
from runtime.codec import KeyRing
from runtime.configuration import ConfigurationError, missing_secrets
from runtime.logs import configure_logging
from runtime.settings import Settings
from starter.wire.server import ListenError, listening

_log = structlog.get_logger(__name__)


@click.command("codec-server")
@click.option("--json", "as_json", is_flag=True, help="Write logs, and so readiness, as JSON lines on standard output.")
@click.pass_obj
def codec_server(context: Context, *, as_json: bool) -> None:
    """Run the codec server, by which the Web UI shows encrypted payloads to those who may read them.

    Give its address to the Web UI (TEMPORAL_CODEC_ENDPOINT, or its menu Codec Server): docs/security.md.
    """
    settings = context.settings()
    problems = _problems(settings)
    if problems:
        raise ConfigurationError(problems)
    if as_json:
        configure_logging(settings.logging.model_copy(update={"format": "json"}), stream=sys.stdout)
    else:
        configure_logging(settings.logging)
    run(_serve(settings))


def _problems(settings: Settings) -> list[str]:
    problems = []
    if settings.encryption.keys is None:
        problems.append("encryption.keys: is not set, so nothing is encrypted; `orchestrator keys new` makes a key")
    if settings.codec_server.auth is None:
        problems.append('codec_server.auth: is required; set kind = "basic" or "jwt" (docs/security.md)')
    # The other secrets of the installation need not be where this server runs.
    ours = ("encryption.", "codec_server.")
    return [*problems, *(line for line in missing_secrets(settings) if line.startswith(ours))]


async def _serve(settings: Settings) -> None:
    server, auth = settings.codec_server, settings.codec_server.auth
    assert auth is not None  # noqa: S101 - told as a problem above
    keys = KeyRing.of(settings.encryption)
    stop = stop_on_signals()
    try:
        async with listening(create_app(server, auth, keys), server.host, server.port) as url:
            _log.info("codec_server_ready", url=url, keys=keys.ids, origins=server.origins)
            await stop.wait()
    except ListenError as error:
        raise click.ClickException(f"{error.problem}: stop what uses it or set another codec_server.port") from None
    _log.info("codec_server_stopped")
