"""What Odoo's buttons and the command line do with a request: find it, redrive, discard or cancel it.

Finding reads search attributes and memo only, so it works without a worker and for closed requests too.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from enum import StrEnum

from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode

from contracts import search_attributes
from contracts.decisions import Decision, Discard, Parked, Redrive, unsaid_payment
from contracts.identity import workflow_id
from contracts.model import Frozen
from contracts.names import DISCARD, MEMO_PARKED, REDRIVE
from contracts.requests import Stage
from runtime.settings import Settings
from runtime.temporal import TemporalUnreachableError
from runtime.updates import execute_update
from starter.intake.temporal_calls import served_within

FIND_S = 5.0
"""Seconds that finding a request may take."""
UPDATE_S = 3.0
"""Seconds a worker has to take a decision before it goes by Signal."""


class RequestState(Frozen):
    """Where a request stands."""

    request_id: str
    route: str
    workflow_id: str
    run_id: str
    status: str
    """Temporal's: RUNNING, COMPLETED, FAILED, ..."""
    stage: str | None = None
    service: str | None = None
    outcome: str | None = None
    failure_code: str | None = None
    cause: str | None = None
    started: datetime
    closed: datetime | None = None
    parked: Parked | None = None
    """Why it waits for a decision, where it does."""

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.status == "RUNNING"


class Way(StrEnum):
    """How a decision reached the request."""

    UPDATE = "update"
    """A worker took it: it is in force."""
    SIGNAL = "signal"
    """No worker answered: the next one to run takes it, unless it is void by then."""


class RequestError(Exception):
    """A request cannot be found, or not be treated so. The message is one line for whoever asked."""


class UnknownRequestError(RequestError):
    """No request has that id."""


class AmbiguousRequestError(RequestError):
    """The id was used on several routes."""

    def __init__(self, routes: list[str]) -> None:
        super().__init__(f"The id was used on several routes: {', '.join(routes)}. Name one of them.")
        self.routes = routes


class UnknownServiceError(RequestError):
    """The image service that a redrive names is not configured."""


class DecisionRefusedError(RequestError):
    """The request is not in a state for this decision, or has ended."""


async def find_request(client: Client, settings: Settings, request_id: str, route: str | None = None) -> RequestState:
    """The request with that id, on that route or on whichever has it.

    Raises `UnknownRequestError`, `AmbiguousRequestError`, `TemporalUnreachableError`.
    """
    routes = [name for name in settings.routes if route in (None, name)]
    async with served_within(FIND_S):
        found = await asyncio.gather(*(_describe(client, request_id, name) for name in routes))
    states = [state for state in found if state]
    if not states:
        where = "" if route is None else f" on route {route}"
        raise UnknownRequestError(f"There is no request with this id{where}.")
    if len(states) > 1:
        raise AmbiguousRequestError([state.route for state in states])
    return states[0]


async def redrive(client: Client, settings: Settings, state: RequestState, decision: Redrive) -> Way:
    """Take a parked request up again.

    Raises `UnknownServiceError`, `DecisionRefusedError`, `TemporalUnreachableError`.
    """
    if decision.service is not None and decision.service not in settings.services:
        known = ", ".join(sorted(settings.services))
        raise UnknownServiceError(f"There is no image service {decision.service!r}; configured: {known}.")
    return await _decide(client, state, REDRIVE, decision)


async def discard(client: Client, state: RequestState, decision: Discard) -> Way:
    """End a parked request for good; raises `DecisionRefusedError`, `TemporalUnreachableError`."""
    return await _decide(client, state, DISCARD, decision)


async def cancel(client: Client, state: RequestState) -> None:
    """Ask for a cancellation: the request ends by itself and tells Odoo.

    Raises `DecisionRefusedError`, `TemporalUnreachableError`.
    """
    _check_open(state)
    try:
        async with served_within(FIND_S):
            await _handle(client, state).cancel()
    except RPCError as error:
        raise _ended(state) from error


async def _describe(client: Client, request_id: str, route: str) -> RequestState | None:
    try:
        found = await client.get_workflow_handle(workflow_id(route, request_id)).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    return await _state(found, request_id, route)


async def _state(found: WorkflowExecutionDescription, request_id: str, route: str) -> RequestState:
    def value(key: SearchAttributeKey[str]) -> str | None:
        return found.typed_search_attributes.get(key)

    return RequestState(
        request_id=request_id,
        route=route,
        workflow_id=found.id,
        run_id=found.run_id,
        status=found.status.name if found.status else "UNKNOWN",
        stage=value(search_attributes.STAGE),
        service=value(search_attributes.SERVICE),
        outcome=value(search_attributes.OUTCOME),
        failure_code=value(search_attributes.FAILURE_CODE),
        cause=value(search_attributes.CAUSE),
        started=found.start_time,
        closed=found.close_time,
        parked=await found.memo_value(MEMO_PARKED, None, type_hint=Parked) if _is_parked(found) else None,
    )


def _is_parked(found: WorkflowExecutionDescription) -> bool:
    # A discarded request keeps the memo of why it was parked.
    return found.typed_search_attributes.get(search_attributes.STAGE) == Stage.PARKED


async def _decide(client: Client, state: RequestState, name: str, decision: Decision) -> Way:
    _check_open(state)
    _check_payment(decision, state)
    pinned = _pinned(decision, state)
    handle = _handle(client, state)
    try:
        async with served_within(UPDATE_S):
            await execute_update(handle, name, [pinned])
    except WorkflowUpdateFailedError as error:
        raise DecisionRefusedError(_reason(error)) from None
    except (TemporalUnreachableError, WorkflowUpdateRPCTimeoutOrCancelledError):
        return await _signal(handle, state, name, pinned)
    except RPCError as error:
        raise _ended(state) from error
    return Way.UPDATE


async def _signal(handle: WorkflowHandle[object, object], state: RequestState, name: str, decision: Decision) -> Way:
    if state.parked is None:
        raise DecisionRefusedError("The request is not parked: there is nothing to decide.")
    try:
        async with served_within(FIND_S):
            await handle.signal(name, decision)
    except RPCError as error:
        raise _ended(state) from error
    return Way.SIGNAL


def _pinned(decision: Decision, state: RequestState) -> Decision:
    # An update that no worker answered may still be applied later, beside the signal: only one may count.
    if decision.parking or state.parked is None:
        return decision
    return decision.model_copy(update={"parking": state.parked.parking})


def _handle(client: Client, state: RequestState) -> WorkflowHandle[object, object]:
    return client.get_workflow_handle(state.workflow_id, run_id=state.run_id)


def _check_open(state: RequestState) -> None:
    if not state.open:
        raise _ended(state)


def _ended(state: RequestState) -> DecisionRefusedError:
    return DecisionRefusedError(f"The request has ended ({state.outcome or state.status.lower()}).")


def _check_payment(decision: Decision, state: RequestState) -> None:
    # Without a worker it is a Signal, which nobody would answer.
    reason = unsaid_payment(decision, state.parked)
    if reason is not None:
        raise DecisionRefusedError(reason)


def _reason(error: WorkflowUpdateFailedError) -> str:
    return str(getattr(error.cause, "message", error.cause))
