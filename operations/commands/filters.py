"""The options by which commands choose dead letters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, get_args

import click

from contracts.dead_letters import MOST_NAMED, LetterFilter
from contracts.decisions import Step
from contracts.errors import RULES, FailureClass

_Command = TypeVar("_Command", bound=Callable[..., object])

_CAUSES = click.Choice([str(failure) for failure in FailureClass], case_sensitive=False)
_CODES = click.Choice(sorted({rule.code for rule in RULES.values()}), case_sensitive=False)
_DURATION = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_NAMES = ("route", "of_service", "cause", "code", "database", "user", "campaign", "step", "older_than", "newer_than")


def duration(text: str) -> timedelta:
    """A duration such as 90s, 30m, 2h, 3d or 1w; raises `click.BadParameter`."""
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None:
        raise click.BadParameter(f"{text!r} is no duration: write it as 30m, 2h or 3d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _duration(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> timedelta | None:
    return None if text is None else duration(text)


def filter_options(service_flag: str) -> Callable[[_Command], _Command]:
    """All filters; the image service that was asked stands under `service_flag`. `chosen` makes a filter of them."""
    options = (
        click.option("--route", help="Only those of this route."),
        click.option(service_flag, "of_service", metavar="NAME", help="Only those that this image service was asked."),
        click.option("--cause", type=_CAUSES, metavar="CLASS", help="Only those with this cause, as RateLimited."),
        click.option("--code", type=_CODES, metavar="CODE", help="Only those that Odoo sees with this code."),
        click.option("--odoo", "database", metavar="DATABASE", help="Only those of this Odoo database."),
        click.option("--user", metavar="ID", help="Only those of this Odoo user."),
        click.option("--campaign", metavar="ID", help="Only those of this campaign."),
        click.option("--step", type=click.Choice(get_args(Step)), help="Only those that failed at this step."),
        click.option("--older-than", callback=_duration, metavar="AGE", help="Only those parked before, as 2h or 3d."),
        click.option("--newer-than", callback=_duration, metavar="AGE", help="Only those parked since, as 30m."),
    )

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def chosen(options: dict[str, Any], request_ids: tuple[str, ...] = ()) -> LetterFilter:
    """The filter that a command's options ask for, which are taken out of them. Ages count from now."""
    taken: Mapping[str, Any] = {name: options.pop(name) for name in _NAMES}
    if len(request_ids) > MOST_NAMED:
        raise click.UsageError(f"at most {MOST_NAMED} request ids at once: use a filter")
    now = datetime.now(UTC)
    return LetterFilter(
        request_ids=tuple(dict.fromkeys(request_ids)),
        service=taken["of_service"],
        parked_before=now - taken["older_than"] if taken["older_than"] else None,
        parked_after=now - taken["newer_than"] if taken["newer_than"] else None,
        **{name: taken[name] for name in ("route", "cause", "code", "database", "user", "campaign", "step")},
    )
