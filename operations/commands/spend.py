"""`spend`: what the image services cost, by whom or what it is asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

import click

from contracts.spend import GroupBy, SpendCall, SpendRow
from operations.console import Context, json_option, print_json, print_table, run, say
from operations.spend import Spend, read_spend
from runtime.blobs import open_store

_USUAL_DAYS = 30
_UNKNOWN = ("request", "route", "service", "call", "begun (UTC)", "sent", "user", "campaign", "job")


def _day(_context: click.Context, _option: click.Parameter, value: str | None) -> date | None:
    try:
        return None if value is None else date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no day: write it as 2026-11-23") from None


@click.command("spend")
@click.option(
    "--from", "first", callback=_day, metavar="DAY", help="First day (UTC), as 2026-11-01; else 30 days back."
)
@click.option("--to", "last", callback=_day, metavar="DAY", help="Last day (UTC), included; else today.")
@click.option("--by", type=click.Choice(get_args(GroupBy)), default="service", show_default=True, help="One row each.")
@click.option("--unknown", is_flag=True, help="List the calls that may have been paid for without an image.")
@json_option
@click.pass_obj
def spend(context: Context, /, *, by: GroupBy, unknown: bool, as_json: bool, **days: date | None) -> None:
    """Show what the image services cost; reads the store alone."""
    begin, end = _range(datetime.now(UTC).date(), **days)
    found = run(read_spend(open_store(context.settings().store), begin, end))
    if as_json:
        print_json(_document(found, by, unknown=unknown))
    elif unknown:
        _show_unknown(found)
    else:
        _show(found, by)


def _range(today: date, first: date | None, last: date | None) -> tuple[date, date]:
    end = last or max(today, first or today)
    begin = first or end - timedelta(days=_USUAL_DAYS - 1)
    if begin > end:
        raise click.BadParameter(f"--from {begin} is after --to {end}")
    return begin, end


def _show(found: Spend, by: GroupBy) -> None:
    if not found.calls:
        say(f"no calls from {found.first} to {found.last}")
        return
    rows = found.rows(by)
    columns = (by, "calls", "images", "paid", "unknown", "cost")
    print_table(f"Spend from {found.first} to {found.last}", columns, [_cells(row) for row in [*rows, found.total]])
    if found.total.estimated:
        say("\n~ by the configured price, at least in part: the service does not say what it takes")
    if found.total.unknown:
        say(f"\n{found.total.unknown} of unknown outcome or still running: see them with --unknown")


def _show_unknown(found: Spend) -> None:
    if not found.unknown:
        say(f"no call of unknown outcome from {found.first} to {found.last}")
        return
    print_table(
        "Calls of unknown outcome, or still running", _UNKNOWN, [_unknown_cells(call) for call in found.unknown]
    )


def _cells(row: SpendRow) -> tuple[object, ...]:
    return (row.group, row.calls, row.images, row.paid, row.unknown, _money(row))


def _money(row: SpendRow) -> str:
    about = "~" if row.estimated else ""
    return ", ".join(f"{about}{amount.normalize():f} {currency}" for currency, amount in row.cost.items())


def _unknown_cells(call: SpendCall) -> tuple[object, ...]:
    entry = call.entry
    sent = "yes" if call.sent else "not known"
    begun = f"{entry.begun:%Y-%m-%d %H:%M:%S}"
    named = (entry.request_id, entry.route, entry.service, entry.number)
    return (*named, begun, sent, entry.user_id, entry.campaign_id, entry.job_id)


def _document(found: Spend, by: GroupBy, *, unknown: bool) -> dict[str, Any]:
    document: dict[str, Any] = {"from": str(found.first), "to": str(found.last), "by": by}
    document["rows"] = [_row_document(row) for row in found.rows(by)]
    document["total"] = _row_document(found.total)
    if unknown:
        calls = [(call, call.entry.model_dump(mode="json")) for call in found.unknown]
        document["unknown_calls"] = [{**entry, "sent": call.sent} for call, entry in calls]
    return document


def _row_document(row: SpendRow) -> dict[str, Any]:
    return {
        "group": row.group,
        "calls": row.calls,
        "images": row.images,
        "paid": row.paid,
        "unknown": row.unknown,
        "cost": {currency: f"{amount:f}" for currency, amount in row.cost.items()},
        "estimated": row.estimated,
    }
