"""`services list`, `services test` and `services capabilities`: the configured image services."""

from __future__ import annotations

import click

from activities.services.checks import Checked
from contracts.capabilities import PARAMETERS
from operations import services as overview
from operations.console import Context, json_option, print_json, print_table, run, say, warn

_WRONG = 1
_BAD_USE = 2
_LIST = ("service", "kind", "base_url", "model", "auth", "paid", "on_unsupported", "loras", "routes")


@click.group("services")
def services() -> None:
    """The image services."""


@services.command("list")
@json_option
@click.pass_obj
def list_services(context: Context, *, as_json: bool) -> None:
    """Show the configured image services."""
    rows = overview.listed(context.settings())
    if as_json:
        print_json(rows)
    else:
        print_table("Image services", _LIST, [[_cell(row[column]) for column in _LIST] for row in rows])


@services.command("test")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@json_option
@click.pass_context
def test_services(ctx: click.Context, names: tuple[str, ...], *, as_json: bool) -> None:
    """Ask image services (all, or those named) whether they are there and take the credentials; costs nothing.

    Exit code: 1 where a service cannot be used.
    """
    context: Context = ctx.obj
    settings = context.settings()
    unknown = overview.unknown(settings, names)
    for line in unknown:
        warn(line)
    if unknown:
        ctx.exit(_BAD_USE)
    results = run(overview.checked(settings, names or tuple(settings.services)))
    if as_json:
        print_json([_document(result) for result in results])
    else:
        for result in results:
            _show(result)
    if not all(result.usable for result in results):
        ctx.exit(_WRONG)


@services.command("capabilities")
@json_option
@click.pass_obj
def show_capabilities(context: Context, *, as_json: bool) -> None:
    """Show what each configured image service does with a request's parameters."""
    rows = overview.capabilities(context.settings())
    if as_json:
        print_json(rows)
        return
    columns = ("service", "kind", *PARAMETERS, "sizes", "jobs", "cancels", "finds", "webhooks")
    print_table("What the image services honour", columns, [[_cell(row[column]) for column in columns] for row in rows])


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _show(result: Checked) -> None:
    line = f"{result.service} ({result.kind}): {result.said}"
    if result.remedy is None:
        say(line)
    else:
        warn(f"{line} - {result.remedy}")


def _document(result: Checked) -> dict[str, object]:
    return {
        "service": result.service,
        "kind": result.kind,
        "usable": result.usable,
        "said": result.said,
        "remedy": result.remedy,
    }
