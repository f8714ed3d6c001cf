"""Traces through Temporal: the start of a workflow, its run, and each attempt of its activities.

The SDK's own interceptors are not used: they write the texts of failures into spans, pass baggage on, and give a
workflow's span another id whenever a workflow task is worked out again. Only what begins inside a span is traced, so
chores that nobody asked for are not. Headers are no commands: histories without them replay as before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from opentelemetry.trace import SpanKind
from temporalio import activity, workflow
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.client import OutboundInterceptor, StartWorkflowInput, WorkflowHandle
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    Interceptor,
    StartActivityInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from runtime.tracing import RUN, TRACER, context_of, failed, here, span_id_of_next
from runtime.tracing_context import Position, run_span_id

_NOTE_SPAN = "runtime.tracing_temporal.note_span"


class TracingInterceptor(ClientInterceptor, Interceptor):
    """For clients; workers and replay take over what concerns them."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002 - the SDK's name
        """Part of the SDK's interface."""
        return _TracedClient(next)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """Part of the SDK's interface."""
        return _TracedActivity(next)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:  # noqa: A002
        """Part of the SDK's interface."""
        input.unsafe_extern_functions[_NOTE_SPAN] = _note_span
        return _TracedWorkflow


class _TracedClient(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:  # noqa: A002
        # What is started by a signal, such as an account, outlives the request that happened to need it first.
        if here() is None or input.start_signal is not None:
            return await super().start_workflow(input)
        attributes = {"temporalWorkflowID": input.id}
        with TRACER.start_as_current_span(
            f"StartWorkflow:{input.workflow}",
            kind=SpanKind.CLIENT,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            position = here()
            if position is not None:
                input.headers = position.sent(input.headers)
            try:
                return await super().start_workflow(input)
            except Exception as error:
                failed(span, type(error).__name__)
                raise


class _TracedActivity(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002, ANN401 - the SDK's signature
        parent = Position.received(input.headers)
        if parent is None:
            return await super().execute_activity(input)
        info = activity.info()
        with TRACER.start_as_current_span(
            f"RunActivity:{info.activity_type}",
            context_of(parent),
            kind=SpanKind.SERVER,
            attributes=_attempt(info),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                return await super().execute_activity(input)
            except ApplicationError as error:
                failed(span, error.type or type(error).__name__)
                raise
            except BaseException as error:
                failed(span, "Cancelled" if is_cancelled_exception(error) else type(error).__name__)
                raise


def _attempt(info: activity.Info) -> dict[str, str | int]:
    return {
        "temporalWorkflowID": info.workflow_id or "",
        "temporalRunID": info.workflow_run_id or "",
        "temporalActivityID": info.activity_id,
        "temporalTaskQueue": info.task_queue,
        "temporalAttempt": info.attempt,
        "temporalLocal": info.is_local,
    }


@dataclass(frozen=True, slots=True)
class _RunSpan:
    """What workflow code tells of a span, in values that mean the same on both sides of the sandbox."""

    name: str
    carrier: dict[str, str]
    span_id: str
    start_ns: int
    end_ns: int
    attributes: dict[str, str]
    error: str | None = None


class _TracedWorkflow(WorkflowInboundInterceptor):
    """Passes its own position on to the activities, which needs nothing but the run's id."""

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_TracedOutbound(outbound))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002, ANN401 - the SDK's signature
        began = _now_ns()
        _note("RunWorkflow", RUN, began)
        try:
            result = await super().execute_workflow(input)
        except FailureError as error:
            _note("CompleteWorkflow", "complete", began, _kind(error))
            raise
        _note("CompleteWorkflow", "complete", began)
        return result


class _TracedOutbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:  # noqa: A002
        input.headers = _sent(input.headers)
        return super().start_activity(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> workflow.ActivityHandle[Any]:  # noqa: A002
        input.headers = _sent(input.headers)
        return super().start_local_activity(input)


def _sent(headers: Any) -> Any:  # noqa: ANN401 - the SDK's mapping of payloads
    run = workflow.info()
    position = Position.received(run.headers)
    return headers if position is None else position.below(run_span_id(run.run_id, RUN)).sent(headers)


def _note(name: str, what: str, began_ns: int, error: str | None = None) -> None:
    run = workflow.info()
    position = Position.received(run.headers)
    if position is None or workflow.unsafe.is_replaying():
        return
    parent = position if what == RUN else position.below(run_span_id(run.run_id, RUN))
    # The run's own span is known at once, so that those below it are not orphans for weeks; the second one has length.
    end_ns = began_ns if what == RUN else _now_ns()
    note: Callable[[_RunSpan], None] = workflow.extern_functions()[_NOTE_SPAN]
    note(
        _RunSpan(
            f"{name}:{run.workflow_type}",
            parent.carrier,
            run_span_id(run.run_id, what),
            began_ns,
            end_ns,
            {"temporalWorkflowID": run.workflow_id, "temporalRunID": run.run_id},
            error,
        )
    )


def _kind(error: FailureError) -> str:
    if is_cancelled_exception(error):
        return "Cancelled"
    return (error.type if isinstance(error, ApplicationError) else None) or type(error).__name__


def _now_ns() -> int:
    return workflow.time_ns()


def _note_span(noted: _RunSpan) -> None:
    """Outside of the sandbox."""
    parent = Position.of(noted.carrier)
    if parent is None:
        return
    with span_id_of_next(noted.span_id):
        span = TRACER.start_span(
            noted.name,
            context_of(parent),
            kind=SpanKind.SERVER,
            attributes=noted.attributes,
            start_time=noted.start_ns,
            record_exception=False,
            set_status_on_exception=False,
        )
    if noted.error is not None:
        failed(span, noted.error)
    span.end(noted.end_ns)
