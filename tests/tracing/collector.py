"""An OTLP/HTTP collector inside the test process."""

from __future__ import annotations

import gzip
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status


@dataclass(frozen=True, slots=True)
class Span:
    """A span as it arrived."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    state: str
    error: str | None
    """The description of its status, None where it did not fail."""
    attributes: dict[str, object]
    raw: str
    """Everything it holds, as text."""


@dataclass
class Collector:
    """What arrived, in order."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    """The Authorization of each batch."""

    def of(self, trace_id: str) -> list[Span]:
        return [span for span in list(self.spans) if span.trace_id == trace_id]

    def names(self, trace_id: str) -> Counter[str]:
        return Counter(span.name for span in self.of(trace_id))

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            known = {one.key: _value(one.value) for one in resource.resource.attributes}
            self.spans += [
                _span(str(known["service.name"]), span) for scope in resource.scope_spans for span in scope.spans
            ]


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens on a free port."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.tokens.append(self.headers["Authorization"])
            collector.take(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def _span(service: str, span: SpanMessage) -> Span:
    return Span(
        service,
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.trace_state,
        span.status.message if span.status.code == Status.STATUS_CODE_ERROR else None,
        {one.key: _value(one.value) for one in span.attributes},
        str(span),
    )


def _value(value: AnyValue) -> object:
    return getattr(value, value.WhichOneof("value") or "string_value")
