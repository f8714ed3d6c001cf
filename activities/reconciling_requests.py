"""Our side of a reconciliation: what Temporal knows of the requests of one Odoo, and what was delivered for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.service import RPCError, RPCStatusCode

from contracts import search_attributes
from contracts.decisions import Parked
from contracts.identity import workflow_id
from contracts.model import Frozen
from contracts.names import DELIVER, MEMO_PARKED, WORKFLOW
from contracts.policies import StepPolicy
from contracts.reconciliation import Finding, Handled
from contracts.requests import (
    DeliverInput,
    Delivery,
    ImageGenerationInput,
    ImageGenerationResult,
    ImageOutcome,
    Outcome,
    RecordReference,
    Stage,
)
from runtime.settings import Settings

_T = TypeVar("_T", bound=Frozen)

PAGE = 1000
"""Requests that are listed at once."""
LETTER_POLICY = StepPolicy(attempts=3, initial_s=1.0, maximum_s=10.0, timeout_s=60.0, deadline_s=300.0)
"""How long a delivery is repeated here: what Odoo does not take then is found again by the next run."""


class RequestSide:
    """What Temporal knows. Every call raises `RPCError`."""

    def __init__(self, client: Client, settings: Settings, odoo: str) -> None:
        self._client = client
        self._database = settings.odoos[odoo].database
        self.routes = {name: route.dialect for name, route in settings.routes.items() if route.odoo == odoo}

    async def since(self, moment: float, beat: Callable[[], None]) -> dict[str, Handled]:
        """The requests that began since, and every parked one, by workflow id; the latest run of each."""
        found: dict[str, Handled] = {}
        if not self.routes:
            return found
        began = datetime.fromtimestamp(moment, UTC).isoformat()
        ours = " OR ".join(f'{search_attributes.ROUTE.name} = "{name}"' for name in self.routes)
        parked = f'({search_attributes.STAGE.name} = "{Stage.PARKED}" AND ExecutionStatus = "Running")'
        query = f'WorkflowType = "{WORKFLOW}" AND ({ours}) AND (StartTime >= "{began}" OR {parked})'
        async for execution in self._client.list_workflows(query, page_size=PAGE):
            if len(found) % PAGE == 0:
                beat()
            handled = await self._handled(execution)
            if handled is not None:
                found.setdefault(execution.id, handled)
        return found

    def ids(self, key: str) -> list[str]:
        """The workflow ids that a request of Odoo's outbox can have."""
        return [workflow_id(route, key) for route, dialect in self.routes.items() if dialect != "odoo_action"]

    async def described(self, key: str) -> Handled | None:
        """The request as it is at this moment, None where there is none."""
        for name in self.ids(key):
            try:
                found = await self._client.get_workflow_handle(name).describe()
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                continue
            return await self._handled(found)
        return None

    async def with_images(self, handled: Handled) -> Handled:
        """With what was delivered; only where it completed."""
        if handled.outcome != Outcome.COMPLETED or handled.open:
            return handled
        result = await self._result(handled.workflow_id, handled.run_id)
        generated = result.generated if result else None
        return handled.model_copy(update={"images": generated.images if generated else ()})

    async def letter(self, finding: Finding) -> DeliverInput | None:
        """The delivery of the outcome that the request ended with, as it was posted; None where it has none."""
        result = await self._result(finding.workflow_id or "", finding.run_id or "")
        if result is None:
            return None
        outcome = ImageOutcome(generated=result.generated, failure=result.failure)
        handle = self._client.get_workflow_handle(finding.workflow_id or "", run_id=finding.run_id)
        events = (await handle.fetch_history()).events
        posted = [
            await self._decoded(event.activity_task_scheduled_event_attributes.input, DeliverInput)
            for event in events
            if event.activity_task_scheduled_event_attributes.activity_type.name == DELIVER
        ]
        same = next((letter for letter in posted if letter.outcome == outcome), None)
        if same is not None:
            return same.model_copy(update={"policy": LETTER_POLICY, "quick": False, "execution_id": finding.run_id})
        payloads = events[0].workflow_execution_started_event_attributes.input
        order = await self._decoded(payloads, ImageGenerationInput)
        last = max([_numbered_from(events), *(letter.delivery.number for letter in posted)])
        return _posted_at_once(order, outcome, last + 1, finding.run_id)

    async def _decoded(self, payloads: Payloads, kind: type[_T]) -> _T:
        value: _T
        (value,) = await self._client.data_converter.decode(payloads.payloads, [kind])
        return value

    async def _result(self, name: str, run_id: str) -> ImageGenerationResult | None:
        handle = self._client.get_workflow_handle(name, run_id=run_id, result_type=ImageGenerationResult)
        try:
            result: ImageGenerationResult = await handle.result(follow_runs=False)
        except WorkflowFailureError:
            return None
        except RPCError as error:
            # Visibility still lists a request that was deleted a moment ago.
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None
        return result

    async def _handled(self, found: WorkflowExecution) -> Handled | None:
        attributes = found.typed_search_attributes
        route, key = attributes.get(search_attributes.ROUTE), attributes.get(search_attributes.REQUEST_ID)
        if route is None or key is None or route not in self.routes:
            return None
        is_open = found.status is WorkflowExecutionStatus.RUNNING
        waits = is_open and attributes.get(search_attributes.STAGE) == Stage.PARKED
        parked = await found.memo_value(MEMO_PARKED, None, type_hint=Parked) if waits else None
        dialect = self.routes[route]
        return Handled(
            request_id=key,
            route=route,
            dialect=dialect,
            workflow_id=found.id,
            run_id=found.run_id,
            open=is_open,
            outcome=None if is_open else attributes.get(search_attributes.OUTCOME),
            quiet_since=(parked.since if parked else found.close_time or found.start_time).timestamp(),
            parked=parked,
            record=_record(self._database, key) if dialect == "odoo_action" else None,
        )


def _numbered_from(events: Sequence[HistoryEvent]) -> int:
    """What a run's deliveries count from: when its first task began, of those that came to their end."""
    kinds = [event.event_type for event in events]
    ended = kinds.index(EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
    begun = [event for event in events[:ended] if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED]
    return int(begun[-1].event_time.ToDatetime(tzinfo=UTC).timestamp() * 1000)


def _posted_at_once(
    order: ImageGenerationInput, outcome: ImageOutcome, number: int, run_id: str | None
) -> DeliverInput:
    """A delivery that the history does not hold was posted inside the workflow's worker, with its images inline."""
    return DeliverInput(
        reference=order.reference,
        route=order.route,
        odoo=order.odoo,
        callback_url=order.callback_url,
        outcome=outcome,
        delivery=Delivery(number=number, envelope=order.envelope, images="inline", expires_at=0),
        policy=LETTER_POLICY,
        traceparent=order.traceparent,
        record=order.record,
        execution_id=run_id,
    )


def _record(database: str, request_id: str) -> RecordReference | None:
    """The record that an id of dialect `odoo_action` names; a hashed id names none."""
    parts = request_id.removeprefix(f"{database}:").split(":")
    if len(parts) < 2 or not parts[1].isdecimal():  # noqa: PLR2004 - model and record
        return None
    return RecordReference(model=parts[0], record_id=int(parts[1]), action="")
