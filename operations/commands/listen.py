"""`listen`: one call to a test URL, shown as it came and as its dialect reads it."""

from __future__ import annotations

import json
from typing import Any

import click

from operations.console import Context, json_option, print_facts, print_json, run, say, warn
from operations.listening import ListenFailedError, Listening
from starter.api.listeners import LONGEST_S
from starter.api.listening import ListenOrder

NOTHING_CAME = 3
"""Exit code where the time was over."""
_PREFIXES = ("webhook-test/", "webhook/")


@click.command()
@click.argument("path")
@click.option("--route", help="Route whose dialect, credentials and answer count.  [default: the one with that path]")
@click.option(
    "--seconds",
    default=120.0,
    show_default=True,
    type=click.FloatRange(0, LONGEST_S, min_open=True),
    help="How long to listen.",
)
@click.option("--url", help="The starter's base URL.  [default: starter.public_base_url]")
@json_option
@click.pass_obj
def listen(
    context: Context,
    /,
    *,
    path: str,
    seconds: float,
    url: str | None,
    as_json: bool,
    **chosen: str | None,
) -> None:
    """Wait for one call to /webhook-test/PATH and show it; nothing is started by it.

    Exit code: 0 a call came, 3 none did.
    """
    order = ListenOrder(path=_below(path), route=chosen["route"], seconds=seconds)
    try:
        report = run(_listen(context, order, url))
    except ListenFailedError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        print_json(report)
    else:
        _show(report)
    click.get_current_context().exit(0 if report["call"] else NOTHING_CAME)


async def _listen(context: Context, order: ListenOrder, url: str | None) -> dict[str, Any]:
    async with Listening(context.settings(), order, url) as listening:
        methods = ", ".join(listening.opened["methods"])
        warn(f"listening for {order.seconds:g} s: {methods} {listening.opened['url']}")
        return await listening.outcome()


def _below(path: str) -> str:
    below = path.strip("/")
    return next((below.removeprefix(prefix) for prefix in _PREFIXES if below.startswith(prefix)), below) or path


def _show(report: dict[str, Any]) -> None:
    for refused in report["refused"]:
        warn(f"turned away: {refused['method']} got {refused['status']} {refused['answer']} ({refused['reason']})")
    call = report["call"]
    if call is None:
        warn("nothing came in time" if report["standing"] == "over" else "the listening ended")
        return
    print_facts(f"{call['method']} {call['path']}", {"query": _compact(call["query"]) if call["query"] else None})
    print_facts("\nHeaders", dict(_joined(call["headers"])))
    say(f"\nBody\n{json.dumps(call['body'], ensure_ascii=False, indent=2)}\n")
    print_facts(f"Read as dialect {call['dialect']} (route {call['route']})", _reading(call))
    say(f"\nAnswered {call['status']} {call['answer']}")


def _joined(headers: list[list[str]]) -> dict[str, str]:
    names = dict.fromkeys(name for name, _ in headers)
    return {name: "\n".join(value for other, value in headers if other == name) for name in names}


def _reading(call: dict[str, Any]) -> dict[str, object]:
    return {
        "request id": call["request_id"],
        "image service": call["service"],
        "callback URL": call.get("callback_url"),
        **{name: value if isinstance(value, str) else _compact(value) for name, value in call["fields"].items()},
        "problems": "\n".join(call["problems"]) or "none",
    }


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
