"""The stack on one machine with a configuration of its own, for the demo and for `up` without a configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from operations.demo.configuration import ROUTES, DemoFiles, write_configuration
from operations.stack import Stack, StandIns
from runtime.embedded import EmbeddedServer, free_ports
from runtime.settings import Settings

UI_PORT, SERVER_PORT = 8233, 7233
USUAL_PORTS = (5678, UI_PORT, SERVER_PORT, 9001, 9002)
"""Starter (n8n's own), Web UI, Temporal, image service, receiver."""
IMAGE_KEY, CALLBACK_SECRET = "LOCAL_IMAGE_KEY", "LOCAL_CALLBACK_SECRET"
"""Environment variables by which the stand-ins get their secrets."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What the stand-ins get wrong on purpose: their fault rules."""

    image: tuple[dict[str, Any], ...] = ()
    callback: tuple[dict[str, Any], ...] = ()


NO_FAULTS = Faults()


@dataclass(frozen=True, slots=True)
class LocalStack:
    """A stack, its files, and the addresses a person wants to open."""

    stack: Stack
    config: Path
    ui_url: str
    stand_ins: StandIns | None
    """None where a configuration names real ones."""
    files: DemoFiles
    codec_url: str | None = None
    """Where people sign in to see clear text in the Web UI; None where nothing is encrypted, or nobody may."""

    @property
    def local(self) -> StandIns:
        """The stand-ins of a stack that has them."""
        if self.stand_ins is None:
            message = "this stack has no stand-ins"
            raise RuntimeError(message)
        return self.stand_ins


def local_stack(
    directory: Path,
    *,
    faults: Faults = NO_FAULTS,
    latency_s: float = 0.0,
    usual_ports: bool = True,
    settings: Mapping[str, str] | None = None,
) -> LocalStack:
    """A stack with both stand-ins below `directory`; the usual ports where they are free, else others.

    `settings` are variables (ORCHESTRATOR__...) of worker and starter; the shell's do not reach them.
    """
    directory.mkdir(parents=True, exist_ok=True)
    starter, ui, server, image, receiver = free_ports(USUAL_PORTS if usual_ports else (0,) * len(USUAL_PORTS))
    image_options = ("--latency", str(latency_s), "--key-env", IMAGE_KEY)
    receiver_options = ("--secret-env", CALLBACK_SECRET)
    stand_ins = StandIns(
        image,
        receiver,
        (*image_options, "--faults", str(_faults(directory, "image", faults.image))),
        (*receiver_options, "--faults", str(_faults(directory, "callback", faults.callback))),
    )
    files = write_configuration(directory, starter, stand_ins)
    stand_ins = replace(stand_ins, environment=_secrets(files))
    stack = Stack(
        EmbeddedServer(directory.resolve(), server, ui),
        files.config,
        f"http://127.0.0.1:{starter}",
        settings=settings or {},
    )
    return LocalStack(stack, files.config, f"http://127.0.0.1:{ui}", stand_ins, files)


def configured_stack(directory: Path, config: Path, settings: Settings, *, usual_ports: bool = True) -> LocalStack:
    """The stack of a person's own configuration: the server is embedded, services and Odoo are real.

    Raises `SecretMissingError` where a key of `encryption.keys` cannot be used.
    """
    ui, server = free_ports((UI_PORT, SERVER_PORT) if usual_ports else (0, 0))
    codec_url = _codec_url(settings)
    stack = Stack(
        EmbeddedServer(directory.resolve(), server, ui, codec_url),
        config.resolve(),
        f"http://{_reachable(settings.starter.host)}:{settings.starter.port}",
        configured=settings,
    )
    return LocalStack(stack, config, f"http://127.0.0.1:{ui}", None, DemoFiles(directory.resolve()), codec_url)


def _codec_url(settings: Settings) -> str | None:
    """Where to serve clear text to the Web UI, where something is encrypted and somebody may read it."""
    server = settings.codec_server
    if settings.encryption.keys is None or server.auth is None:
        return None
    (port,) = free_ports([server.port])
    return f"http://{_reachable(server.host)}:{port}"


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104


def curl_line(local: LocalStack) -> str:
    """A command that posts one webhook to the `event` route of the local configuration."""
    body = json.dumps({"requestId": "mine-1", "correlationId": "mine-1", "prompt": "a red bicycle"})
    return (
        f"curl -H 'Content-Type: application/json' -H \"X-Api-Key: $(cat {local.files.secret('webhook')})\" "
        f"-d '{body}' {local.stack.starter_url}/webhook/{ROUTES[0].path}"
    )


def _faults(directory: Path, name: str, rules: tuple[dict[str, Any], ...]) -> Path:
    path = directory.resolve() / f"{name}-faults.json"
    path.write_text(json.dumps(rules), encoding="utf-8")
    return path


def _secrets(files: DemoFiles) -> dict[str, str]:
    return {IMAGE_KEY: files.read_secret("service"), CALLBACK_SECRET: files.read_secret("callback")}
