"""Sending spans to a collector that may be slow, down or gone: a bounded queue, few words, a short goodbye."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

import requests
import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from runtime.authorization import auth_headers
from runtime.tracing import wanted_span_id
from runtime.tracing_settings import TracingSettings

_log = structlog.get_logger(__name__)

QUEUE = 4096
"""Spans that wait at most; more are dropped."""
BATCH = 512
DELAY_S = 1.0
"""Seconds between two batches: what a killed process takes with it."""
TIMEOUT_S = 3.0
"""Seconds for one batch."""
REST_S = 15.0
"""Seconds in which nothing is sent after a batch that was not taken."""


def open_export(settings: TracingSettings, role: str) -> Callable[[], None]:
    """Make the process's spans go to the collector; gives what ends it. Raises `SecretMissingError`."""
    # Each failed batch would say so, at length; `_Patient` says it once.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    session = requests.Session()
    session.trust_env = False
    exporter = OTLPSpanExporter(
        endpoint=f"{settings.endpoint}/v1/traces",
        headers=auth_headers(settings.auth),
        timeout=TIMEOUT_S,
        compression=Compression.Gzip,
        session=session,
    )
    provider = TracerProvider(
        resource=Resource({"service.name": f"{settings.service_name}-{role}"}),
        sampler=ParentBased(TraceIdRatioBased(settings.sample_ratio)),
        id_generator=_Ids(),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(
        BatchSpanProcessor(
            _Patient(exporter),
            max_queue_size=QUEUE,
            max_export_batch_size=BATCH,
            schedule_delay_millis=DELAY_S * 1000,
            export_timeout_millis=TIMEOUT_S * 1000,
        )
    )
    trace.set_tracer_provider(provider)
    return provider.shutdown


class _Patient(SpanExporter):
    """After a batch that was not taken, the next ones are dropped for a while: nothing waits for a dead collector."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._rests_until: float | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        now = time.monotonic()
        if self._rests_until is not None and now < self._rests_until:
            return SpanExportResult.FAILURE
        result = self._exporter.export(spans)
        taken = result is SpanExportResult.SUCCESS
        if taken and self._rests_until is not None:
            _log.info("traces_sent_again")
        if not taken and self._rests_until is None:
            _log.warning(
                "traces_not_sent", hint="check tracing.endpoint and its collector; spans are dropped meanwhile"
            )
        self._rests_until = None if taken else time.monotonic() + REST_S
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class _Ids(RandomIdGenerator):
    def generate_span_id(self) -> int:
        return wanted_span_id() or super().generate_span_id()
