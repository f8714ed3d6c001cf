"""The options by which a change says who makes it and why."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., object])
_SAID_LIMIT = 500


def author_options(command: _Command) -> _Command:
    """`--by` and `--reason`, which must be given."""
    reason = reason_option("Why; is written down with the change.", required=True)
    return reason(by_option("Who decides.")(command))


def by_option(who: str) -> Callable[[_Command], _Command]:
    """`--by`, else the name of the user who runs the command."""
    return click.option("--by", default=_user, callback=_stated, show_default="your user name", help=who)


def reason_option(why: str, *, required: bool) -> Callable[[_Command], _Command]:
    """`--reason`, never empty; None where it may be left out."""
    return click.option("--reason", required=required, callback=_stated, help=why)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "operator"


def _stated(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    if text is not None and not text.strip():
        raise click.BadParameter("must not be empty")
    return None if text is None else text[:_SAID_LIMIT]
