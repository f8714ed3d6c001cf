"""`config check`: what is configured, and whether it can be used."""

from __future__ import annotations

from typing import Any

import click

from operations.console import Context, json_option, print_facts, print_json, print_table, run, say, warn
from operations.sending import webhook_url
from runtime.configuration import ConfigurationError, config_path, secret_references, usable_problems
from runtime.secrets import SecretMissingError, resolve
from runtime.settings import Settings
from runtime.temporal import TemporalUnreachableError, address, namespace

_BAD = 2


@click.group("config")
def config() -> None:
    """The configuration."""


@config.command("check")
@click.option("--strict", is_flag=True, help="Temporal must be reachable too.")
@json_option
@click.pass_context
def check(ctx: click.Context, *, strict: bool, as_json: bool) -> None:
    """Show the routes, services, Odoos and secrets of the configuration, or what is wrong with it.

    Exit code: 2 where something is wrong.
    """
    context: Context = ctx.obj
    try:
        settings = context.settings()
    except ConfigurationError as error:
        if not as_json:
            raise
        print_json({"usable": False, "problems": error.problems})
        ctx.exit(_BAD)
    problems, unreachable = usable_problems(settings), run(_unreachable(context))
    if as_json:
        print_json({"usable": not problems, "problems": problems, **_document(context, settings, unreachable)})
    else:
        _show(context, settings)
        _say_problems(problems, unreachable)
    if problems or (strict and unreachable):
        ctx.exit(_BAD)


async def _unreachable(context: Context) -> str | None:
    try:
        await context.client()
    except TemporalUnreachableError as error:
        return str(error)
    return None


def _say_problems(problems: list[str], unreachable: str | None) -> None:
    for problem in problems:
        warn(f"configuration: {problem}")
    if unreachable is not None:
        warn(f"warning: {unreachable}")
    if not problems:
        say("\nthe configuration can be used")


def _show(context: Context, settings: Settings) -> None:
    routes = [
        (name, ", ".join(route.methods), webhook_url(settings, route), route.dialect, route.auth.kind, route.odoo)
        for name, route in settings.routes.items()
    ]
    print_table("Routes", ("route", "methods", "URL", "dialect", "auth", "Odoo"), routes)
    services = [(name, one.kind, one.base_url, one.model, one.auth.kind) for name, one in settings.services.items()]
    print_table("\nImage services", ("service", "kind", "URL", "model", "auth"), services)
    odoos = [(name, odoo.database, odoo.base_url) for name, odoo in settings.odoos.items()]
    print_table("\nOdoos", ("Odoo", "database", "URL"), odoos)
    print_table("\nSecrets", ("setting", "reference", "state"), _secrets(settings))
    say("")
    print_facts("Surroundings", _surroundings(context, settings))


def _surroundings(context: Context, settings: Settings) -> dict[str, object]:
    return {
        "configuration": config_path(context.config) or "no file; defaults and environment",
        "image store": settings.store.place,
        "Temporal": f"{address()}, namespace {namespace()}",
    }


def _secrets(settings: Settings) -> list[tuple[str, str, str]]:
    references = secret_references(settings.model_dump())
    return [(where, reference, "there" if _is_there(reference) else "missing") for where, reference in references]


def _is_there(reference: str) -> bool:
    try:
        resolve(reference)
    except SecretMissingError:
        return False
    return True


def _document(context: Context, settings: Settings, unreachable: str | None) -> dict[str, Any]:
    secrets = [{"setting": where, "reference": name, "state": state} for where, name, state in _secrets(settings)]
    return {
        "configuration": str(config_path(context.config) or ""),
        "settings": settings.model_dump(mode="json"),
        "secrets": secrets,
        "temporal": {"address": address(), "namespace": namespace(), "reachable": unreachable is None},
    }
