"""Traces through HTTP: a span for each webhook that comes in, and for each request that leaves a worker."""

from __future__ import annotations

from typing import Any

import httpx
from opentelemetry import trace
from opentelemetry.trace import SpanKind
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.tracing import TRACER, context_of, failed, here, is_on
from runtime.tracing_context import Position

_FIELDS = ("traceparent", "tracestate")
_ERROR = 400
_SERVER_ERROR = 500


class ServerSpans:
    """Serves each HTTP request in a span of its own, below the caller's where it sent a valid traceparent.

    From then on the request carries the span's traceparent in place of the caller's.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Part of ASGI."""
        if not is_on() or scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        caller = Position.of(_received(scope))
        with TRACER.start_as_current_span(
            f"{scope['method']} webhook",
            None if caller is None else context_of(caller),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": scope["method"]},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:

            async def answer(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= _SERVER_ERROR:
                        failed(span, str(message["status"]))
                await send(message)

            await self._app(_below(scope), receive, answer)


def name_route(route: str) -> None:
    """Name the current request's span by its configured route: its path may hold a token."""
    span = trace.get_current_span()
    if span.is_recording():
        span.update_name(f"webhook {route}")
        span.set_attribute("orchestrator.route", route)


def _received(scope: Scope) -> dict[str, str]:
    headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
    return {name: value for name, value in reversed(headers) if name in _FIELDS}


def _below(scope: Scope) -> Scope:
    position = here()
    others = [(name, value) for name, value in scope["headers"] if name.decode("latin-1").lower() not in _FIELDS]
    ours = position.carrier.items() if position else ()
    return {**scope, "headers": [*others, *((name.encode(), value.encode("latin-1")) for name, value in ours)]}


class TracedTransport(httpx.AsyncBaseTransport):
    """Sends each request in a span below the current one, until the head of its answer is there.

    Who was to see a traceparent sees that span's; who was not, sees none.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Part of httpx's interface."""
        if not is_on() or here() is None:
            return await self._transport.handle_async_request(request)
        with TRACER.start_as_current_span(
            request.method,
            kind=SpanKind.CLIENT,
            attributes=_attributes(request),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            position = here()
            if position is not None and "traceparent" in request.headers:
                request.headers.update(position.carrier)
            try:
                response = await self._transport.handle_async_request(request)
            except BaseException as error:
                failed(span, type(error).__name__)
                raise
            span.set_attribute("http.response.status_code", response.status_code)
            if response.status_code >= _ERROR:
                failed(span, str(response.status_code))
            return response

    async def aclose(self) -> None:
        """Part of httpx's interface."""
        await self._transport.aclose()


def _attributes(request: httpx.Request) -> dict[str, Any]:
    port = request.url.port
    return {
        "http.request.method": request.method,
        "server.address": request.url.host,
        **({} if port is None else {"server.port": port}),
    }
