"""What a workflow asked for, read from a history: replay compares names and order only, this compares the options.

A fingerprint is a list of lines, one per command. Names of queues and services are put in words, so that two runs
under different names compare.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Payload, Payloads, RetryPolicy
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from contracts.requests import ImageGenerationInput
from runtime.temporal import DATA_CONVERTER

_UNSET = "binary/null"


def order_of(history: WorkflowHistory) -> ImageGenerationInput:
    """The input that the workflow of this history got."""
    started = history.events[0].workflow_execution_started_event_attributes
    order: ImageGenerationInput = decoded(started.input, ImageGenerationInput)
    return order


def decoded(payloads: Payloads, kind: type[Any] | None = None) -> Any:
    """The one value that payloads hold."""
    hints = [kind] if kind else None
    return DATA_CONVERTER.payload_converter.from_payloads(payloads.payloads[:1], hints)[0]


def fingerprint(history: WorkflowHistory) -> list[str]:
    """One line for each command of the workflow."""
    names = _names(order_of(history))
    return [_in_words(line, names) for event in history.events for line in _lines(event)]


def is_command(event: HistoryEvent) -> bool:
    """Whether the workflow asked for it."""
    return _kind(event) in _READERS


def local_activity(event: HistoryEvent) -> str | None:
    """The name of the local activity that this marker tells of, or None."""
    marked = event.marker_recorded_event_attributes
    return str(decoded(marked.details["data"])["activity_type"]) if "data" in marked.details else None


def _kind(event: HistoryEvent) -> str:
    return EventType.Name(event.event_type).removeprefix("EVENT_TYPE_").lower()


def _lines(event: HistoryEvent) -> Iterator[str]:
    if is_command(event):
        yield " ".join((_kind(event), *_READERS[_kind(event)](event), *_summary(event)))


def _activity(event: HistoryEvent) -> Iterator[str]:
    asked = event.activity_task_scheduled_event_attributes
    yield f"{asked.activity_type.name} on {asked.task_queue.name}"
    limits = ("start_to_close", "schedule_to_close", "schedule_to_start", "heartbeat")
    for limit in limits:
        seconds = _seconds(getattr(asked, f"{limit}_timeout"))
        if seconds:
            yield f"{limit}={seconds:.12g}s"
    yield _retry(asked.retry_policy)


def _retry(policy: RetryPolicy) -> str:
    first, longest = _seconds(policy.initial_interval), _seconds(policy.maximum_interval)
    attempts = policy.maximum_attempts or "unlimited"
    never = ",".join(policy.non_retryable_error_types) or "none"
    return f"retry={first:g}s*{policy.backoff_coefficient:g}..{longest:g}s attempts={attempts} never={never}"


def _timer(event: HistoryEvent) -> Iterator[str]:
    seconds = _seconds(event.timer_started_event_attributes.start_to_fire_timeout)
    # A delay with chance in it is only bounded.
    yield f"{seconds:.12g}s" if seconds == int(seconds) else f"below {math.ceil(seconds)}s"


def _marker(event: HistoryEvent) -> Iterator[str]:
    marked = event.marker_recorded_event_attributes
    yield f"{marked.marker_name} {local_activity(event) or decoded(marked.details['patch-data'])['id']}"


def _search_attributes(event: HistoryEvent) -> Iterator[str]:
    upserted = event.upsert_workflow_search_attributes_event_attributes.search_attributes
    for name, value in sorted(upserted.indexed_fields.items()):
        yield f"{name}={_text(value)}"


def _memo(event: HistoryEvent) -> Iterator[str]:
    upserted = event.workflow_properties_modified_event_attributes.upserted_memo
    for name, value in sorted(upserted.fields.items()):
        yield f"{name}={_text(value) if _text(value) == 'unset' else 'set'}"


def _update(event: HistoryEvent) -> Iterator[str]:
    yield event.workflow_execution_update_accepted_event_attributes.accepted_request.input.name


def _signal(event: HistoryEvent) -> Iterator[str]:
    sent = event.signal_external_workflow_execution_initiated_event_attributes
    yield f"{sent.signal_name} to {sent.workflow_execution.workflow_id}"


def _nothing(_event: HistoryEvent) -> Iterator[str]:
    yield from ()


def _text(value: Payload) -> str:
    return "unset" if value.metadata.get("encoding", b"").decode() == _UNSET else str(json.loads(value.data))


def _summary(event: HistoryEvent) -> Iterator[str]:
    if event.user_metadata.HasField("summary"):
        yield f'"{json.loads(event.user_metadata.summary.data)}"'


_READERS: Mapping[str, Callable[[HistoryEvent], Iterator[str]]] = MappingProxyType(
    {
        "activity_task_scheduled": _activity,
        "activity_task_cancel_requested": _nothing,
        "timer_started": _timer,
        "timer_canceled": _nothing,
        "marker_recorded": _marker,
        "upsert_workflow_search_attributes": _search_attributes,
        "workflow_properties_modified": _memo,
        "workflow_execution_update_accepted": _update,
        "signal_external_workflow_execution_initiated": _signal,
        "workflow_execution_completed": _nothing,
        "workflow_execution_failed": _nothing,
        "workflow_execution_canceled": _nothing,
        "workflow_execution_continued_as_new": _nothing,
    }
)


def _names(order: ImageGenerationInput) -> dict[str, str]:
    return {**dict.fromkeys(order.services, "<other>"), order.service: "<service>", order.odoo: "<odoo>"}


def _in_words(line: str, names: Mapping[str, str]) -> str:
    whole_names = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, names))})(?![\w-])")
    return whole_names.sub(lambda found: names[found[1]], line)


def _seconds(duration: Duration) -> float:
    span: timedelta = duration.ToTimedelta()
    return span.total_seconds()
