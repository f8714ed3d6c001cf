"""The list of dead letters, read from visibility alone, so that it needs no worker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from temporalio.client import Client, WorkflowExecution
from temporalio.common import SearchAttributeKey

from contracts import search_attributes as attributes
from contracts.decisions import Parked, Step
from contracts.model import Frozen
from contracts.names import MEMO_PARKED, WORKFLOW
from contracts.requests import Stage


class DeadLetter(Frozen):
    """One parked request."""

    request_id: str
    route: str
    database: str | None = None
    service: str | None = None
    cause: str | None = None
    code: str | None = None
    parking: int = 0
    """Which parking of the request this is; 0 where the memo does not tell."""
    step: Step | None = None
    since: datetime | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Some dead letters, and how many there are."""

    letters: tuple[DeadLetter, ...]
    counts: Mapping[str, int]
    """All that match, by cause."""

    @property
    def total(self) -> int:
        """All that match."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Filter:
    """Which dead letters are meant; None = any."""

    route: str | None = None
    service: str | None = None
    cause: str | None = None
    code: str | None = None
    database: str | None = None

    def query(self) -> str:
        """The visibility query."""
        wanted = (
            (attributes.STAGE, Stage.PARKED.value),
            (attributes.ROUTE, self.route),
            (attributes.SERVICE, self.service),
            (attributes.CAUSE, self.cause),
            (attributes.FAILURE_CODE, self.code),
            (attributes.ODOO_DATABASE, self.database),
        )
        terms = [f"{key.name} = {_quoted(value)}" for key, value in wanted if value is not None]
        return " AND ".join([f"WorkflowType = {_quoted(WORKFLOW)}", 'ExecutionStatus = "Running"', *terms])


async def find_dead_letters(client: Client, chosen: Filter, limit: int | None = None) -> DeadLetters:
    """The dead letters that are meant, newest request first, at most `limit` of them; raises `RPCError`."""
    letters: list[DeadLetter] = []
    counts: Counter[str] = Counter()
    async for execution in client.list_workflows(chosen.query()):
        counts[_value(execution, attributes.CAUSE) or "unknown"] += 1
        if limit is None or len(letters) < limit:
            letters.append(await _dead_letter(execution))
    return DeadLetters(tuple(letters), dict(counts.most_common()))


async def _dead_letter(execution: WorkflowExecution) -> DeadLetter:
    parked: Parked | None = await execution.memo_value(MEMO_PARKED, None, type_hint=Parked)
    known = DeadLetter(
        request_id=_value(execution, attributes.REQUEST_ID) or execution.id,
        route=_value(execution, attributes.ROUTE) or "",
        database=_value(execution, attributes.ODOO_DATABASE),
        service=_value(execution, attributes.SERVICE),
        cause=_value(execution, attributes.CAUSE),
        code=_value(execution, attributes.FAILURE_CODE),
    )
    if parked is None:
        return known
    own = {"parking": parked.parking, "step": parked.step, "since": parked.since, "message": parked.failure.message}
    return known.model_copy(update=own)


def _value(execution: WorkflowExecution, key: SearchAttributeKey[str]) -> str | None:
    return execution.typed_search_attributes.get(key)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
