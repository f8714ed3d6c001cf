"""Preparing a namespace: the search attributes by which requests are found, and how long closed ones are kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    ListWorkflowExecutionsRequest,
    RegisterNamespaceRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from contracts import search_attributes

RETENTION_DAYS = 30
"""How long closed requests are kept, which is also how long their ids are remembered."""
USABLE_S = 60.0
"""Seconds in which every part of a cluster has heard of a new namespace."""

_KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
_DAY_S = 86_400
_REFUSED = {
    RPCStatusCode.PERMISSION_DENIED: "use an identity (TEMPORAL_API_KEY, TLS certificate) that may administer it",
    RPCStatusCode.UNAUTHENTICATED: "give it a valid identity (TEMPORAL_API_KEY, TLS certificate)",
    RPCStatusCode.UNIMPLEMENTED: "this cluster is administered elsewhere (Temporal Cloud: its console or tcld)",
}

_T = TypeVar("_T")


class NamespaceNotReadyError(Exception):
    """The namespace lacks what a worker needs. The message is one line that says what to do."""


class Change(StrEnum):
    """What preparing did to one thing."""

    NONE = "already there"
    MADE = "made"
    CHANGED = "changed"
    LEFT = "left alone"


@dataclass(frozen=True, slots=True)
class Prepared:
    """One thing of a namespace, after it was looked at."""

    thing: str
    """Its kind: namespace, retention, search attribute, queue limit, schedule."""
    name: str
    change: Change
    """In a rehearsal, what would be done."""
    detail: str = ""


async def bootstrap(client: Client) -> tuple[str, ...]:
    """Prepare the client's namespace; safe to repeat. Returns the search attributes that were missing.

    Raises `NamespaceNotReadyError`, and `RPCError` where Temporal does not answer.
    """
    done = [step async for step in prepare(client)]
    return tuple(step.name for step in done if step.thing == _ATTRIBUTE and step.change is Change.MADE)


async def prepare(client: Client, *, rehearse: bool = False) -> AsyncIterator[Prepared]:
    """Make the namespace, raise its retention, register the attributes; with `rehearse` only tell what would be done.

    Each step is told once it is done. Raises as `bootstrap` does; what was told before stays done.
    """
    there = await _allowed("describe the namespace", retention_s(client))
    if there is None and not rehearse:
        await _make(client)
    if there is not None or not rehearse:
        # Who comes second may see what the first has made only now, and not yet everywhere.
        await _until(lambda: _usable(client), f"the namespace {client.namespace} is there, but cannot be used yet")
    if there is None:
        yield Prepared("namespace", client.namespace, Change.MADE, f"keeps closed requests for {RETENTION_DAYS} days")
    else:
        yield Prepared("namespace", client.namespace, Change.NONE)
        yield await _retained(client, there, rehearse=rehearse)
    missing = _NAMES if there is None and rehearse else await register_search_attributes(client, rehearse=rehearse)
    for name in _NAMES:
        yield Prepared(_ATTRIBUTE, name, Change.MADE if name in missing else Change.NONE)


_ATTRIBUTE = "search attribute"
_NAMES = tuple(key.name for key in search_attributes.ALL)


async def register_search_attributes(client: Client, *, rehearse: bool = False) -> tuple[str, ...]:
    """Register the search attributes that are missing; returns their names. Raises `NamespaceNotReadyError`."""
    known = await _attributes(client)
    for name in _NAMES:
        if known.get(name, _KEYWORD) != _KEYWORD:
            raise NamespaceNotReadyError(_wrong_type(client.namespace, name, known[name]))
    missing = tuple(name for name in _NAMES if name not in known)
    if missing and not rehearse:
        await _register(client, missing, sorted(set(_of_type(known, _KEYWORD)) - set(_NAMES)))
    return missing


async def missing_search_attributes(client: Client) -> tuple[str, ...]:
    """The names of our search attributes that the namespace does not have as Keywords."""
    known = await _attributes(client)
    return tuple(name for name in _NAMES if known.get(name) != _KEYWORD)


async def check_namespace(client: Client) -> None:
    """Raise `NamespaceNotReadyError` where a search attribute is missing: a workflow that sets it would hang."""
    try:
        missing = await missing_search_attributes(client)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        message = f"there is no namespace {client.namespace}: run `orchestrator bootstrap`, or set TEMPORAL_NAMESPACE"
        raise NamespaceNotReadyError(message) from None
    if missing:
        raise NamespaceNotReadyError(
            f"the namespace {client.namespace} lacks the search attributes {', '.join(missing)}:"
            " run `orchestrator bootstrap` once"
        )


async def retention_s(client: Client) -> int | None:
    """Seconds for which the namespace keeps closed requests; None where there is no such namespace."""
    request = DescribeNamespaceRequest(namespace=client.namespace)
    try:
        described = await client.workflow_service.describe_namespace(request)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    return described.config.workflow_execution_retention_ttl.ToSeconds()


async def _retained(client: Client, kept_s: int, *, rehearse: bool) -> Prepared:
    """Keep closed requests long enough: as long as a repeated post must be recognised. It is never lowered."""
    name = f"{RETENTION_DAYS} days"
    if kept_s >= RETENTION_DAYS * _DAY_S:
        return Prepared("retention", name, Change.NONE, f"it is {kept_s / _DAY_S:g}")
    if not rehearse:
        request = UpdateNamespaceRequest(namespace=client.namespace)
        request.config.workflow_execution_retention_ttl.FromSeconds(RETENTION_DAYS * _DAY_S)
        await _allowed("raise the retention", client.workflow_service.update_namespace(request))
        now_s = await retention_s(client)
        if now_s is None or now_s < RETENTION_DAYS * _DAY_S:
            message = f"the retention of namespace {client.namespace} could not be raised to {RETENTION_DAYS} days"
            raise NamespaceNotReadyError(f"{message}: raise it where this cluster's namespaces are administered")
    return Prepared("retention", name, Change.CHANGED, f"it was {kept_s / _DAY_S:g}")


async def _make(client: Client) -> None:
    request = RegisterNamespaceRequest(namespace=client.namespace, description="image requests of Odoo")
    request.workflow_execution_retention_period.FromSeconds(RETENTION_DAYS * _DAY_S)
    try:
        await _allowed("make the namespace", client.workflow_service.register_namespace(request))
    except RPCError as error:
        # Somebody else has made it meanwhile.
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise


async def _usable(client: Client) -> bool:
    """Whether frontend and visibility know the namespace: each reads the list of namespaces at times of its own."""
    request = ListWorkflowExecutionsRequest(namespace=client.namespace, page_size=1)
    try:
        await client.workflow_service.list_workflow_executions(request)
        await _attributes(client)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True


async def _register(client: Client, missing: tuple[str, ...], others: list[str]) -> None:
    request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=dict.fromkeys(missing, _KEYWORD))
    try:
        await _allowed("register search attributes", client.operator_service.add_search_attributes(request))
    except RPCError as error:
        if error.status is not RPCStatusCode.INVALID_ARGUMENT:
            raise
        raise NamespaceNotReadyError(_no_room(client.namespace, missing, others, error)) from None

    async def registered() -> bool:
        return not await missing_search_attributes(client)

    await _until(registered, f"the search attributes of namespace {client.namespace} were sent, but are not there yet")


async def _until(condition: Callable[[], Coroutine[Any, Any, bool]], otherwise: str) -> None:
    end = asyncio.get_running_loop().time() + USABLE_S
    while not await condition():
        if asyncio.get_running_loop().time() >= end:
            raise NamespaceNotReadyError(f"{otherwise}: wait a minute and run `orchestrator bootstrap` again")
        await asyncio.sleep(0.2)


async def _attributes(client: Client) -> dict[str, int]:
    request = ListSearchAttributesRequest(namespace=client.namespace)
    listed = await _allowed("list the search attributes", client.operator_service.list_search_attributes(request))
    return dict(listed.custom_attributes)


def _of_type(known: dict[str, int], kind: int) -> list[str]:
    return [name for name, type_ in known.items() if type_ == kind]


async def _allowed(what: str, call: Coroutine[Any, Any, _T]) -> _T:
    """The answer; a refusal of who asks, or of the question, as `NamespaceNotReadyError`."""
    try:
        return await call
    except RPCError as error:
        remedy = _REFUSED.get(error.status)
        if remedy is None:
            raise
        raise NamespaceNotReadyError(f"Temporal does not let this client {what}: {remedy}") from None


def _wrong_type(namespace: str, name: str, kind: int) -> str:
    type_ = IndexedValueType.Name(kind).removeprefix("INDEXED_VALUE_TYPE_").title()  # type: ignore[arg-type]
    return (
        f"the namespace {namespace} has a search attribute {name} of type {type_}, but Keyword is needed: use another "
        f"namespace (TEMPORAL_NAMESPACE), or `temporal operator search-attribute remove --name {name}`"
    )


def _no_room(namespace: str, missing: tuple[str, ...], others: list[str], error: RPCError) -> str:
    if not others:
        return f"Temporal refuses the search attributes {', '.join(missing)}: {' '.join(error.message.split())}"
    return (
        f"the namespace {namespace} has no room for the search attributes {', '.join(missing)} beside the Keywords of "
        f"others ({', '.join(others)}): use a namespace of its own (TEMPORAL_NAMESPACE), or remove some of those"
    )
