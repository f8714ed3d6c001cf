"""What every command shares: the configuration, the connection, results as text or as one JSON document."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text
from temporalio.client import Client

from runtime.configuration import load_settings
from runtime.settings import Settings
from runtime.temporal import connect

_T = TypeVar("_T")
_Command = TypeVar("_Command", bound=Callable[..., object])

out = Console(highlight=False, soft_wrap=True)
"""Results."""
err = Console(stderr=True, highlight=False, soft_wrap=True)
"""Everything else."""

CONNECT_WAIT_S = 3.0
"""Seconds a command waits for Temporal before it says that it is not there."""
_PIPE_WIDTH = 10_000
"""Columns where nobody looks: a line that wraps cannot be searched."""


class Context:
    """The options that stand before the command."""

    def __init__(self, config: Path | None) -> None:
        self.config = config

    def settings(self) -> Settings:
        """The settings; raises `ConfigurationError`."""
        return load_settings(self.config)

    async def client(self) -> Client:
        """A connected client; raises `ConfigurationError` and `TemporalUnreachableError`."""
        return await connect(encryption=self.settings().encryption, wait_s=CONNECT_WAIT_S, rpc_budget_s=10.0)


def json_option(command: _Command) -> _Command:
    """`--json` on a command: print one JSON document and nothing else."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def print_json(value: BaseModel | dict[str, Any] | list[Any]) -> None:
    """Print one JSON document on standard output."""
    content = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    click.echo(json.dumps(content, ensure_ascii=False, indent=2, default=str))


def say(line: str) -> None:
    """Print one line of result; what came from outside cannot steer the terminal."""
    out.print(plain(line), markup=False)


def warn(line: str) -> None:
    """Print one line beside the result, on standard error."""
    err.print(plain(line), markup=False)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their columns; an empty cell for None."""
    table = Table(title=Text(title, style="bold"), title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", header_style="bold")
    for row in rows:
        table.add_row(*(Text(plain("" if cell is None else str(cell))) for cell in row))
    _print(table)


def print_facts(title: str, facts: Mapping[str, object]) -> None:
    """Print a name and a value per line; facts without a value are left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        if value is not None:
            grid.add_row(Text(name, style="bold"), Text(plain(str(value))))
    out.print(Text(plain(title), style="bold"))
    _print(grid)


def _print(table: Table) -> None:
    Console(highlight=False, width=None if out.is_terminal else _PIPE_WIDTH).print(table)


def plain(text: str) -> str:
    """The text with every control character but line breaks replaced: it may come from outside."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a command's coroutine."""
    return asyncio.run(work)


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set; a second one ends the process the hard way."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _on_signal, loop, number, stop)
    return stop


def _on_signal(loop: asyncio.AbstractEventLoop, number: signal.Signals, stop: asyncio.Event) -> None:
    stop.set()
    loop.remove_signal_handler(number)
