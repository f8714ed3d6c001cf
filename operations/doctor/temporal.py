"""Temporal: whether it answers, and whether the namespace is prepared."""

from __future__ import annotations

import re
from collections.abc import Iterable

import temporalio
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client

from operations.doctor import alerts, queues
from operations.doctor.examination import Check, examine
from operations.doctor.finding import Finding, fail, ok, warn
from operations.doctor.namespace import Namespace
from operations.schedules import prepare_schedules
from runtime.bootstrap import (
    RETENTION_DAYS,
    Change,
    NamespaceNotReadyError,
    Prepared,
    register_search_attributes,
    retention_s,
)
from runtime.secrets import SecretMissingError
from runtime.settings import Settings
from runtime.temporal import TemporalUnreachableError, address, connect

CONNECT_WAIT_S = 3.0
"""Seconds Temporal gets to answer at all."""
OUTBOX_S = 2 * 86_400.0
"""Seconds in which the addon's outbox gives up: 50 tries with waits of up to an hour."""
OLDEST_SERVER = (1, 29)
"""The first server with limits of task queues that can be set live, and with fairness."""
BOOTSTRAP = "run `orchestrator bootstrap`"
_DAY_S = 86_400


async def look(settings: Settings) -> list[Finding]:
    """Everything about Temporal; nothing more where it does not answer."""
    try:
        client = await connect(encryption=settings.encryption, wait_s=CONNECT_WAIT_S, rpc_budget_s=10.0)
    except (TemporalUnreachableError, SecretMissingError) as error:
        fact, _, remedy = str(error).rpartition(": ")
        return [fail("temporal", fact or str(error), remedy)]
    kept = await retention_s(client)
    if kept is None:
        return [*await _versions(client), no_namespace(client.namespace)]
    return await examine(_CHECKS, Namespace(client, settings, kept))


def no_namespace(name: str) -> Finding:
    """The verdict where the namespace is not there."""
    return fail("namespace", f"there is no namespace {name}", f"{BOOTSTRAP}, or set TEMPORAL_NAMESPACE")


async def _look_at_versions(namespace: Namespace) -> list[Finding]:
    return await _versions(namespace.client)


async def _versions(client: Client) -> list[Finding]:
    info = await client.workflow_service.get_system_info(GetSystemInfoRequest())
    return [server_verdict(address(), info.server_version, temporalio.__version__)]


def server_verdict(where: str, server: str, sdk: str) -> Finding:
    """What a server of that version means; one that does not tell its version passes."""
    fact = f"answers at {where} (server {server or 'of unknown version'}, SDK {sdk})"
    numbers = tuple(int(number) for number in re.findall(r"\d+", server)[:2])
    if numbers and numbers < OLDEST_SERVER:
        oldest = ".".join(map(str, OLDEST_SERVER))
        return warn("temporal", fact, f"upgrade the server to {oldest} or later: live limits and fairness need it")
    return ok("temporal", fact)


async def _look_at_retention(namespace: Namespace) -> list[Finding]:
    windows = [odoo.reconcile.window_hours * 3600 for odoo in namespace.settings.odoos.values() if odoo.rpc]
    return [retention_verdict(namespace.retention_s, max([OUTBOX_S, *windows]))]


def retention_verdict(kept_s: float, resend_s: float) -> Finding:
    """What it means that closed requests are known so long, where Odoo may repeat one for `resend_s`."""
    fact = f"closed requests are known for {kept_s / _DAY_S:g} days; Odoo may repeat one for {resend_s / _DAY_S:g}"
    if kept_s < resend_s:
        return fail("retention", f"{fact}: a late repetition would be paid for again", BOOTSTRAP)
    if kept_s < RETENTION_DAYS * _DAY_S:
        return warn("retention", fact, f"{BOOTSTRAP}: it raises this to {RETENTION_DAYS} days")
    return ok("retention", fact)


async def _look_at_attributes(namespace: Namespace) -> list[Finding]:
    try:
        missing = await register_search_attributes(namespace.client, rehearse=True)
    except NamespaceNotReadyError as error:
        fact, _, remedy = str(error).partition(": ")
        return [fail("search attributes", fact, remedy)]
    return [attributes_verdict(missing)]


def attributes_verdict(missing: Iterable[str]) -> Finding:
    """What missing search attributes mean."""
    names = ", ".join(missing)
    if names:
        return fail("search attributes", f"not registered: {names}; requests would hang", BOOTSTRAP)
    return ok("search attributes", "all are registered")


async def _look_at_schedules(namespace: Namespace) -> list[Finding]:
    steps = prepare_schedules(namespace.client, namespace.settings, rehearse=True)
    return [schedule_verdict(step) async for step in steps]


def schedule_verdict(step: Prepared) -> Finding:
    """What a schedule's state means, by what a bootstrap would do."""
    subject = f"schedule {step.name}"
    if step.change is Change.MADE:
        return fail(subject, "is missing", BOOTSTRAP)
    if step.change is Change.CHANGED:
        return warn(subject, f"is not as configured ({step.detail})", BOOTSTRAP)
    if "paused" in step.detail:
        return warn(subject, step.detail, "take it up again in the Web UI, where nobody wants it paused any more")
    return ok(subject, step.detail)


_CHECKS = (
    Check("temporal", _look_at_versions),
    Check("retention", _look_at_retention),
    Check("search attributes", _look_at_attributes),
    Check("workers", queues.look_at_workers),
    Check("limits", queues.look_at_limits),
    Check("schedules", _look_at_schedules),
    Check("alerts", alerts.look),
)
