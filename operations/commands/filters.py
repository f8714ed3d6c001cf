"""The options by which commands choose dead letters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from contracts.errors import RULES, FailureClass

_Command = TypeVar("_Command", bound=Callable[..., object])

_CAUSES = click.Choice([str(failure) for failure in FailureClass], case_sensitive=False)
_CODES = click.Choice(sorted({rule.code for rule in RULES.values()}), case_sensitive=False)


def filter_options(service_flag: str) -> Callable[[_Command], _Command]:
    """`--route`, `--cause`, `--code`, `--odoo`, and the image service that was asked under `service_flag`."""
    options = (
        click.option("--route", help="Only those of this route."),
        click.option(service_flag, "of_service", metavar="NAME", help="Only those that this image service was asked."),
        click.option("--cause", type=_CAUSES, metavar="CLASS", help="Only those with this cause, as RateLimited."),
        click.option("--code", type=_CODES, metavar="CODE", help="Only those that Odoo sees with this code."),
        click.option("--odoo", "database", metavar="DATABASE", help="Only those of this Odoo database."),
    )

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
