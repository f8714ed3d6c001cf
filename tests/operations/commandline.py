"""The command line as its users run it, and a configuration for it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import pytest

from operations.cli import execute

CHECKOUT = Path(__file__).resolve().parents[2]
SECRET = "made-up-webhook-secret"
NOWHERE = "127.0.0.1:9"
"""Where no Temporal is."""


_IN_COMMAND: ContextVar[bool] = ContextVar("in_command", default=False)


class _OfTheCommand(io.StringIO):
    """Keeps what the command writes; what workers of the test log in this process meanwhile goes its own way."""

    def __init__(self, others: TextIO) -> None:
        super().__init__()
        self._others = others

    def write(self, text: str) -> int:
        return super().write(text) if _IN_COMMAND.get() else self._others.write(text)


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """Runs `orchestrator` in a directory, against a Temporal."""

    directory: Path
    address: str = NOWHERE

    @property
    def config(self) -> Path:
        """Its configuration file."""
        return self.directory / "orchestrator.toml"

    async def start(self, *arguments: str, **more: str) -> asyncio.subprocess.Process:
        """The process of one command."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "operations", *arguments),
            cwd=self.directory,
            env=self._environment(more),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str, **more: str) -> Ran:
        """Run one command to its end."""
        process = await self.start(*arguments, **more)
        out, err = await process.communicate()
        return Ran(process.returncode or 0, out.decode(), err.decode())

    async def call(self, *arguments: str, **more: str) -> Ran:
        """Run one command inside this process, which saves its start: for what a command does, not how it is run.

        One at a time, and none that follows a batch: that one minds signals.
        """
        out, err = _OfTheCommand(sys.stdout), _OfTheCommand(sys.stderr)
        inside = _IN_COMMAND.set(True)
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            for name, value in {"TEMPORAL_ADDRESS": self.address, **more}.items():
                patch.setenv(name, value)
            patch.setattr("sys.stdin", io.StringIO())
            patch.chdir(self.directory)
            try:
                code = await asyncio.to_thread(execute, ["--config", str(self.config), *arguments])
            finally:
                _IN_COMMAND.reset(inside)
        return Ran(code, out.getvalue(), err.getvalue())

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORCHESTRATOR", "TEMPORAL_"))}
        return {**kept, "PYTHONPATH": str(CHECKOUT), "TEMPORAL_ADDRESS": self.address, **more}


def configured(directory: Path, address: str = NOWHERE, routes: tuple[str, ...] = ("event",)) -> CommandLine:
    """A command line with routes of dialect `event`, two services and one Odoo."""
    (directory / "secret").write_text(SECRET, encoding="utf-8")
    line = CommandLine(directory, address)
    line.config.write_text(_HEAD + "".join(_ROUTE.format(name=name) for name in routes), encoding="utf-8")
    return line


_HEAD = """\
[starter]
port = 0
[store]
path = "images"
[odoos.main]
database = "acme"
base_url = "https://odoo.example"
[services.main]
kind = "flux_lora"
base_url = "http://127.0.0.1:9"
[services.spare]
kind = "openai"
base_url = "http://127.0.0.1:9"
"""
_ROUTE = """\
[routes.{name}]
path = "{name}"
dialect = "event"
odoo = "main"
services = ["main"]
auth = {{ kind = "header", name = "X-Api-Key", secret = "file:secret" }}
callback = {{ path = "/callback" }}
"""
