"""`web-ui`: links into Temporal's Web UI, and the set-up of its saved views and columns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from contracts.requests import Stage
from operations.commands.filters import duration
from operations.console import Context, json_option, print_json, say
from operations.saved_views import COLUMNS, DEV_UI, VIEWS, Sought, View, link, query_for, set_up_script
from runtime.temporal import namespace


@click.command("web-ui")
@click.option("--url", help=f"Where the Web UI is.  [default: alerts.web_ui_url, else {DEV_UI}]")
@click.option("--script", is_flag=True, help="Print the set-up script: all saved views and the columns at once.")
@click.option("--save", is_flag=True, help="Print links that also save their view in the browser, each once.")
@click.option("--request", "request_id", metavar="ID", help="The request of this id.")
@click.option("--odoo", "database", metavar="DATABASE", help="Requests of this Odoo database.")
@click.option("--user", metavar="ID", help="Requests of this Odoo user.")
@click.option("--campaign", metavar="ID", help="Requests of this campaign.")
@click.option("--service", metavar="NAME", help="Requests that this image service was asked.")
@click.option("--stage", type=click.Choice([str(stage) for stage in Stage]), help="Requests in this stage.")
@click.option("--code", metavar="CODE", help="Requests whose failure Odoo sees with this code.")
@click.option("--older-than", metavar="AGE", help="Requests that came before, as 2h or 3d.")
@json_option
@click.pass_obj
def web_ui(
    context: Context,
    /,
    *,
    url: str | None,
    script: bool,
    save: bool,
    as_json: bool,
    **sought: Any,  # noqa: ANN401 - the fields of Sought, as click has read them
) -> None:
    """Print links to the saved views of the Web UI, or to the requests that are sought.

    Views and columns live in the browser: `--script` prints what sets them up, `docs/web-ui.md` says how.
    """
    if script:
        click.echo(set_up_script(namespace()))
        return
    base = url or context.settings().alerts.web_ui_url or DEV_UI
    found = query_for(_sought(**sought))
    views = (View("found", found, "the requests that are sought"),) if found else VIEWS
    links = {view.name: link(base, namespace(), view.query, view.name if save else None) for view in views}
    if as_json:
        print_json(_document(views, links))
    else:
        _show(views, links)


def _sought(older_than: str | None, **fields: str | None) -> Sought:
    age: timedelta | None = duration(older_than) if older_than else None
    return Sought(**fields, started_before=datetime.now(UTC) - age if age else None)


def _document(views: tuple[View, ...], links: dict[str, str]) -> dict[str, object]:
    return {
        "views": [
            {"name": view.name, "shows": view.shows, "query": view.query, "url": links[view.name]} for view in views
        ],
        "columns": list(COLUMNS),
    }


def _show(views: tuple[View, ...], links: dict[str, str]) -> None:
    for view in views:
        say(f"{view.name} ({view.shows})\n    {view.query}\n    {links[view.name]}")
