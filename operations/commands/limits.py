"""`limits`: what image services and Odoos are limited to, and changing it while everything runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import click

from contracts.accounts import Overrides
from operations.commands.authors import author_options
from operations.console import Context, json_option, print_json, print_table, run, say, warn
from operations.limits import Author, LimitsShown, apply_all, clear_service, set_odoo, set_service, show_limits

_COLUMNS = ("name", "kind", "rate/s configured", "live", "at once configured", "live", "held", "waiting", "state")
_LATER = "noted; no worker has answered yet, it takes effect once one runs"


@click.group()
def limits() -> None:
    """Rates and concurrency of image services and Odoos, over all workers."""


@limits.command("show")
@click.option("--log", "with_log", is_flag=True, help="Show each account's own log too.")
@json_option
@click.pass_obj
def show(context: Context, *, with_log: bool, as_json: bool) -> None:
    """Compare what is configured with what is in force; needs no worker, but for slots and log."""
    shown = run(_show(context))
    if as_json:
        print_json({"limits": [one.model_dump(mode="json") for one in shown]})
        return
    print_table("Limits", _COLUMNS, [_row(one) for one in shown])
    for one in shown if with_log else []:
        for line in one.log or ():
            say(f"{one.name}: {line}")


async def _show(context: Context) -> list[LimitsShown]:
    return await show_limits(await context.client(), context.settings(), time.time())


def _row(one: LimitsShown) -> Sequence[object]:
    rates = (_number(one.configured_rate), _number(one.live_rate))
    slots = (_number(one.configured_concurrency), _number(one.live_concurrency))
    return (one.name, one.kind, *rates, *slots, one.held, one.waiting, one.state)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _weights(_ctx: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, float] | None:
    return dict(_weight(text) for text in texts) or None


def _weight(text: str) -> tuple[str, float]:
    tenant, _, value = text.rpartition("=")
    try:
        weight = float(value)
    except ValueError:
        weight = 0.0
    if not tenant or not 0.001 <= weight <= 1000:  # noqa: PLR2004 - Temporal's bounds
        raise click.BadParameter("needs TENANT=WEIGHT with a weight from 0.001 to 1000")
    return tenant, weight


_RATE = click.FloatRange(min=0, max=10_000, min_open=True)
_odoo_flag = click.option("--odoo", "is_odoo", is_flag=True, help="NAME is an Odoo: its callbacks are meant.")


@limits.command("set")
@click.argument("name")
@_odoo_flag
@click.option("--rate", type=_RATE, help="Calls a second.")
@click.option("--concurrency", type=click.IntRange(1, 10_000), help="Calls and unfinished jobs at once.")
@click.option("--weight", "weights", multiple=True, callback=_weights, metavar="TENANT=W", help="A tenant's share.")
@author_options
@click.pass_obj
def set_limits(  # noqa: PLR0913 - click hands over each option
    context: Context,
    /,
    *,
    name: str,
    is_odoo: bool,
    rate: float | None,
    concurrency: int | None,
    weights: dict[str, float] | None,
    by: str,
    reason: str,
) -> None:
    """Change limits of NAME at once, for all workers; the configuration stays as it is."""
    wanted = Overrides(rate_per_second=rate, concurrency=concurrency, weights=weights)
    if wanted == Overrides():
        raise click.UsageError("name a limit: --rate, --concurrency or --weight")
    if is_odoo and (rate is None or concurrency is not None or weights is not None):
        raise click.UsageError("an Odoo has a --rate and no other limit")
    run(_set(context, name, wanted, Author(by, reason), is_odoo=is_odoo))


async def _set(context: Context, name: str, wanted: Overrides, author: Author, *, is_odoo: bool) -> None:
    settings, client = context.settings(), await context.client()
    if is_odoo:
        await set_odoo(client, settings, name, wanted.rate_per_second, author)
        _told(name, "set", in_force=True)
    else:
        _told(name, "set", in_force=await set_service(client, settings, name, wanted, author))


@limits.command()
@click.argument("name")
@_odoo_flag
@author_options
@click.pass_obj
def clear(context: Context, *, name: str, is_odoo: bool, by: str, reason: str) -> None:
    """Drop what was set live for NAME: the configuration of the workers counts again."""
    run(_clear(context, name, Author(by, reason), is_odoo=is_odoo))


async def _clear(context: Context, name: str, author: Author, *, is_odoo: bool) -> None:
    settings, client = context.settings(), await context.client()
    if is_odoo:
        await set_odoo(client, settings, name, None, author)
        _told(name, "cleared", in_force=True)
    else:
        _told(name, "cleared", in_force=await clear_service(client, settings, name, author))


@limits.command()
@author_options
@click.pass_obj
def apply(context: Context, *, by: str, reason: str) -> None:
    """Put the limits of this configuration in force for everything in it, and drop what was set live."""
    run(_apply(context, Author(by, reason)))


async def _apply(context: Context, author: Author) -> None:
    settings, client = context.settings(), await context.client()
    for name, in_force in (await apply_all(client, settings, author)).items():
        _told(name, "configuration applied", in_force=in_force)


def _told(name: str, what: str, *, in_force: bool) -> None:
    tell: Callable[[str], None] = say if in_force else warn
    tell(f"{name}: {what}" if in_force else f"{name}: {_LATER}")
