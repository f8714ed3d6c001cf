"""Odoos: whether callbacks arrive there, and whether the external interface takes us. Nothing is written."""

from __future__ import annotations

import asyncio

import httpx

from activities.attempts import AttemptFailedError
from activities.odoo.connections import OdooConnections
from activities.odoo.errors import OdooRefusedError
from activities.services.transport import new_client
from contracts.callbacks import Verdict
from operations.doctor.finding import Finding, fail, ok, warn
from operations.doctor.hosts import PROBE_S, reason
from runtime.settings import OdooSettings, Settings

_NOBODY = 0
"""The id of no user: a search for it costs next to nothing, and needs a valid login all the same."""


async def look(settings: Settings) -> list[Finding]:
    """Every configured Odoo."""
    odoos = settings.odoos.items()
    found = await asyncio.gather(*(_look_at(settings, name, odoo) for name, odoo in odoos))
    return [finding for findings in found for finding in findings]


async def _look_at(settings: Settings, name: str, odoo: OdooSettings) -> list[Finding]:
    client = new_client(keepalive=False)
    try:
        asked = [callback_verdict(name, path, await _asked(client, odoo, path)) for path in paths(settings, name)]
        # An Odoo that is down is down for each path alike: that is one finding.
        callbacks = list(dict.fromkeys(asked))
        return callbacks if odoo.rpc is None else [*callbacks, await _logged_in(settings, name, client)]
    finally:
        await client.aclose()


def paths(settings: Settings, odoo: str) -> list[str]:
    """Where callbacks to that Odoo go, as far as the configuration says; "/" where only requests do."""
    routes = [route for route in settings.routes.values() if route.odoo == odoo]
    return sorted({route.callback.path for route in routes if route.callback.path}) or ["/"]


async def _asked(client: httpx.AsyncClient, odoo: OdooSettings, path: str) -> int | str:
    """The status of a GET, which a callback's address refuses; where none came, why."""
    try:
        async with asyncio.timeout(PROBE_S):
            return (await client.get(f"{odoo.base_url}{path}")).status_code
    except (TimeoutError, httpx.HTTPError) as error:
        return reason(error)


def callback_verdict(name: str, path: str, answer: int | str) -> Finding:
    """What it means that the address answers a GET with that status, or not at all."""
    subject = f"odoo {name}"
    if isinstance(answer, str):
        return fail(subject, f"cannot be reached: {answer}", f"start that Odoo, or correct odoos.{name}.base_url")
    fact = f"{path} answers (HTTP {answer})"
    if answer >= httpx.codes.INTERNAL_SERVER_ERROR:
        return fail(subject, fact, "read that Odoo's own log, or that of the proxy before it")
    if answer == httpx.codes.NOT_FOUND and path != "/":
        remedy = "see that the receiving module is installed in that database, and that its name is chosen (dbfilter)"
        return warn(subject, f"{fact}: nothing may take callbacks there", remedy)
    return ok(subject, fact)


async def _logged_in(settings: Settings, name: str, client: httpx.AsyncClient) -> Finding:
    connections = OdooConnections({name: settings.odoos[name]}, {name: client})
    try:
        await connections.port(name, PROBE_S).search("res.users", [["id", "=", _NOBODY]], 1)
    except OdooRefusedError as error:
        return login_verdict(name, error.reason, down=error.verdict is not Verdict.FINAL)
    except AttemptFailedError as error:
        return login_verdict(name, error.failure.message, down=False)
    finally:
        connections.close()
    return login_verdict(name, None, down=False)


def login_verdict(name: str, refusal: str | None, *, down: bool) -> Finding:
    """What it means that a call by RPC was refused for that reason; None = it was answered."""
    subject = f"odoo {name} rpc"
    if refusal is None:
        return ok(subject, "the external interface takes the login")
    key = f"correct odoos.{name}.rpc (user, secret) or odoos.{name}.database, or give that user the rights"
    return fail(subject, refusal, f"start that Odoo, or correct odoos.{name}.base_url" if down else key)
