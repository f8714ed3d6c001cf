"""Speaking with the workflow of an image-service account: starting it, telling it, asking it, reading its memo."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TypeVar

import structlog
from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.common import Priority, WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from contracts import names
from contracts.accounts import CONFIGURE, MEMO_STANDING, Account, CallReport, CoolDown, Limits, Standing
from contracts.model import Frozen
from runtime.service_settings import ServiceSettings
from runtime.settings import Settings
from runtime.updates import execute_update

log = structlog.get_logger(__name__)

PATIENCE_S = 3.0
"""Seconds that Temporal gets for an answer; the SDK's own timeout is per attempt."""
UNREACHED = (
    RPCError,
    TimeoutError,
    RuntimeError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
"""How it shows that the account could not be reached."""

_T = TypeVar("_T", bound=Frozen)


def limits_of(service: ServiceSettings) -> Limits:
    """The configured limits of an account."""
    return Limits(
        rate_per_second=service.rate_per_second,
        strict=service.strict_rate,
        concurrency=service.concurrency,
        circuit_failures=service.circuit.failures,
        circuit_open_s=service.circuit.open_s,
    )


async def ensure_accounts(client: Client, settings: Settings) -> None:
    """Start the workflow of each account, or tell it the configured limits; what cannot be reached is logged."""
    desk = AccountDesk(client, settings.services)
    await asyncio.gather(*(desk.configure(service) for service in settings.services))


class AccountDesk:
    """What one worker says to the accounts' workflows, which need not run yet."""

    def __init__(self, client: Client, services: Mapping[str, ServiceSettings]) -> None:
        self._client = client
        self._services = services

    async def configure(self, service: str) -> None:
        """Tell the account its configured limits; what cannot be reached is logged."""
        await self.tell(service, CONFIGURE, limits_of(self._services[service]))

    async def tell(self, service: str, signal: str, message: Limits | CoolDown | CallReport) -> None:
        """Send a signal, starting the account's workflow where it does not run; a failure is logged."""
        try:
            await asyncio.wait_for(self._tell(service, signal, message), PATIENCE_S)
        except UNREACHED as error:
            log.warning("account_not_told", service=service, signal=signal, reason=str(error))

    async def read(self, service: str) -> Standing | None:
        """How the account stands, without any worker; None where its workflow does not run. Raises `UNREACHED`."""
        return await asyncio.wait_for(read_standing(self._client, service), PATIENCE_S)

    async def ask(self, service: str, update: str, message: Frozen | None, answer: type[_T]) -> _T:
        """The answer of an Update; raises `UNREACHED`."""
        return await asyncio.wait_for(self._ask(service, update, message, answer), PATIENCE_S)

    async def _ask(self, service: str, update: str, message: Frozen | None, answer: type[_T]) -> _T:
        account = self._client.get_workflow_handle(names.account_id(service))
        arguments = [] if message is None else [message]
        try:
            known: _T = await execute_update(account, update, arguments, result_type=answer)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        else:
            return known
        await self._tell(service, CONFIGURE, limits_of(self._services[service]))
        started: _T = await execute_update(account, update, arguments, result_type=answer)
        return started

    async def _tell(self, service: str, signal: str, message: Frozen) -> None:
        await signal_account(self._client, service, limits_of(self._services[service]), signal, message)


async def signal_account(client: Client, service: str, limits: Limits, signal: str, message: Frozen) -> None:
    """Send a signal to an account, starting it with `limits` where it does not run. Raises `RPCError`."""
    await client.start_workflow(
        names.ACCOUNT_WORKFLOW,
        Account(service=service, standing=Standing(limits=limits)),
        id=names.account_id(service),
        task_queue=names.WORKFLOW_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        start_signal=signal,
        start_signal_args=[message],
        static_summary=f"limits of the image-service account {service}",
        # Requests wait for its answers: it goes before their own tasks.
        priority=Priority(priority_key=1),
    )


async def read_standing(client: Client, service: str) -> Standing | None:
    """How an account stands, from its memo; None where its workflow does not run. Raises `RPCError`."""
    try:
        described = await client.get_workflow_handle(names.account_id(service)).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    if described.close_time is not None:
        return None
    standing: Standing | None = await described.memo_value(MEMO_STANDING, None, type_hint=Standing)
    return standing
