"""Traces: off until `tracing` is entered in main(), and then one span for each thing that takes time.

Spans name methods, hosts, statuses, routes and failure classes. They never hold a URL's path, a prompt, a failure's
text or a secret.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from temporalio import workflow

from runtime.tracing_context import Position, run_span_id
from runtime.tracing_settings import TracingSettings

TRACER = trace.get_tracer("orchestrator")
RUN = "run"
"""Names the span of a workflow's run."""

_PROPAGATOR = TraceContextTextMapPropagator()
_on = False
_wanted = threading.local()


@contextmanager
def tracing(settings: TracingSettings, role: Literal["starter", "worker"]) -> Iterator[None]:
    """Send spans to the collector while inside, where one is set. Once per process.

    Raises `SecretMissingError` where the collector's credentials cannot be used.
    """
    if settings.endpoint is None:
        yield
        return
    # The SDK and its exporter take a moment to load, and nobody without traces shall wait for it.
    from runtime.tracing_export import open_export  # noqa: PLC0415

    global _on  # noqa: PLW0603 - OpenTelemetry's provider is the process's, too
    close = open_export(settings, role)
    _on = True
    try:
        yield
    finally:
        _on = False
        close()


def is_on() -> bool:
    """Whether this process sends spans."""
    return _on


def here() -> Position | None:
    """The position of the current span; None outside of any."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return Position.of(carrier)


def context_of(position: Position) -> Context:
    """The context in which spans are children of that position."""
    return _PROPAGATOR.extract(position.carrier, Context())


@contextmanager
def span_id_of_next(span_id: str) -> Iterator[None]:
    """The span that this thread begins inside gets that id."""
    _wanted.span_id = int(span_id, 16)
    try:
        yield
    finally:
        _wanted.span_id = None


def wanted_span_id() -> int | None:
    """The id that the next span of this thread is to have, where one is named."""
    wanted: int | None = getattr(_wanted, "span_id", None)
    return wanted


def failed(span: Span, kind: str) -> None:
    """Mark a span as failed. `kind` is a class or a status, never a text that somebody else wrote."""
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR, kind))


def log_ids() -> dict[str, str]:
    """The ids of the span at work, for log lines; empty outside of any."""
    if workflow.in_workflow():
        run = workflow.info()
        position = Position.received(run.headers)
        span_id = run_span_id(run.run_id, RUN)
        return {} if position is None else {"trace_id": position.trace_id, "span_id": span_id}
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": trace.format_trace_id(context.trace_id), "span_id": trace.format_span_id(context.span_id)}
