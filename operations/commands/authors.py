"""The options by which a change says who makes it and why."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., object])


def author_options(command: _Command) -> _Command:
    """`--by` and `--reason`."""
    command = click.option("--by", default=_user, callback=_stated, show_default="your user name", help="Who decides.")(
        command
    )
    return click.option("--reason", required=True, callback=_stated, help="Why; is written down with the change.")(
        command
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "operator"


def _stated(_ctx: click.Context, _parameter: click.Parameter, text: str) -> str:
    if not text.strip():
        raise click.BadParameter("must not be empty")
    return text[:500]
