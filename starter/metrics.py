"""Prometheus metrics of the starter; labels take configured values only, so their number is bounded."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from starter.wire.refusals import Result
from starter.wire.routing import Webhook

_BUCKETS = (0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.125, 0.25, 0.5, 1.0, 2.5, 5.0)
_NO_ROUTE = "none"


class StarterMetrics:
    """The starter's own registry: requests by route, dialect and result, and the time until the answer."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "starter_requests",
            "Webhook requests by what became of them.",
            ("route", "dialect", "result"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "starter_acknowledgement_seconds",
            "Seconds from a parsed request head to the answer.",
            ("route",),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._dropped_copies = Counter(
            "starter_shadow_copies_dropped",
            "Copies for a route's shadow that were not sent because too many waited.",
            ("route",),
            registry=self._registry,
        )

    def count_dropped_copy(self, route: str) -> None:
        """Count one copy for a route's shadow that was not sent because too many waited."""
        self._dropped_copies.labels(route).inc()

    def count(self, webhook: Webhook | None, result: Result, seconds: float) -> None:
        """Count one webhook request that took `seconds`."""
        route, dialect = (webhook.name, webhook.dialect.name) if webhook else (_NO_ROUTE, _NO_ROUTE)
        self._requests.labels(route, dialect, result.value).inc()
        self._seconds.labels(route).observe(seconds)

    async def answer(self, _request: Request) -> Response:
        """`GET /metrics`."""
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)
