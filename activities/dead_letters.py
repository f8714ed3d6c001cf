"""The dead letters of the namespace, read from visibility alone, so that it needs no worker of requests."""

from __future__ import annotations

from collections.abc import AsyncIterator

from temporalio.client import Client, WorkflowExecution
from temporalio.common import SearchAttributeKey

from contracts import search_attributes as attributes
from contracts.dead_letters import DeadLetter, LetterFilter
from contracts.decisions import Parked
from contracts.names import MEMO_PARKED


async def dead_letters(client: Client, chosen: LetterFilter) -> AsyncIterator[DeadLetter]:
    """The dead letters that are meant, newest request first; raises `RPCError`."""
    async for execution in client.list_workflows(chosen.query()):
        letter = await dead_letter(execution)
        if chosen.takes(letter):
            yield letter


async def dead_letter(execution: WorkflowExecution) -> DeadLetter:
    """A parked request as its search attributes and memo tell of it."""
    parked: Parked | None = await execution.memo_value(MEMO_PARKED, None, type_hint=Parked)
    known = DeadLetter(
        request_id=_value(execution, attributes.REQUEST_ID) or execution.id,
        workflow_id=execution.id,
        run_id=execution.run_id,
        route=_value(execution, attributes.ROUTE) or "",
        database=_value(execution, attributes.ODOO_DATABASE),
        user=_value(execution, attributes.ODOO_USER),
        campaign=_value(execution, attributes.CAMPAIGN),
        service=_value(execution, attributes.SERVICE),
        cause=_value(execution, attributes.CAUSE),
        code=_value(execution, attributes.FAILURE_CODE),
    )
    if parked is None:
        return known
    own = {
        "parking": parked.parking,
        "step": parked.step,
        "since": parked.since,
        "message": parked.failure.message,
        "unpaid": parked.failure.unpaid,
    }
    return known.model_copy(update=own)


def _value(execution: WorkflowExecution, key: SearchAttributeKey[str]) -> str | None:
    return execution.typed_search_attributes.get(key)
