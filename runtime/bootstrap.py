"""Preparing a namespace: the search attributes by which requests are found, and how long closed ones are kept."""

from __future__ import annotations

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest
from temporalio.client import Client

from contracts import search_attributes

RETENTION_DAYS = 30
"""How long closed requests are kept, which is also how long their ids are remembered."""

_KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
_DAY_S = 86_400


class NamespaceNotReadyError(Exception):
    """The namespace lacks what a worker needs. The message is one line that says what to do."""


async def bootstrap(client: Client) -> tuple[str, ...]:
    """Prepare the client's namespace; safe to repeat. Returns the search attributes that were missing."""
    registered = await register_search_attributes(client)
    await set_retention(client)
    return registered


async def register_search_attributes(client: Client) -> tuple[str, ...]:
    """Register the search attributes that are missing; returns their names."""
    missing = await missing_search_attributes(client)
    if missing:
        wanted = dict.fromkeys(missing, _KEYWORD)
        request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=wanted)
        await client.operator_service.add_search_attributes(request)
    return missing


async def missing_search_attributes(client: Client) -> tuple[str, ...]:
    """The names of our search attributes that the namespace does not have as Keywords."""
    request = ListSearchAttributesRequest(namespace=client.namespace)
    known = (await client.operator_service.list_search_attributes(request)).custom_attributes
    return tuple(key.name for key in search_attributes.ALL if known.get(key.name) != _KEYWORD)


async def check_namespace(client: Client) -> None:
    """Raise `NamespaceNotReadyError` where a search attribute is missing: a workflow that sets it would hang."""
    missing = await missing_search_attributes(client)
    if missing:
        raise NamespaceNotReadyError(
            f"the namespace {client.namespace} lacks the search attributes {', '.join(missing)}:"
            " run `orchestrator bootstrap` once"
        )


async def set_retention(client: Client, days: int = RETENTION_DAYS) -> None:
    """Keep closed requests for at least `days`: as long as a repeated post must be recognised.

    Raises `RuntimeError` where the server does not take it.
    """
    if await _retention_s(client) >= days * _DAY_S:
        return
    request = UpdateNamespaceRequest(namespace=client.namespace)
    request.config.workflow_execution_retention_ttl.FromSeconds(days * _DAY_S)
    await client.workflow_service.update_namespace(request)
    if await _retention_s(client) < days * _DAY_S:
        message = f"the retention of namespace {client.namespace} could not be raised to {days} days"
        raise RuntimeError(message)


async def _retention_s(client: Client) -> int:
    request = DescribeNamespaceRequest(namespace=client.namespace)
    described = await client.workflow_service.describe_namespace(request)
    return described.config.workflow_execution_retention_ttl.ToSeconds()
