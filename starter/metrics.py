"""Prometheus metrics of the starter; labels take configured values only, so their number is bounded."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from contracts import metrics
from starter.wire.refusals import Result
from starter.wire.routing import Webhook

_BUCKETS_S = (0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.125, 0.25, 0.5, *metrics.BUCKETS_S)
"""Finer below the target of half a second, then those of all other times."""


class StarterMetrics:
    """The starter's own registry: requests by route, dialect, Odoo and result, and the time until the answer."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = self._counter(metrics.WEBHOOK_REQUESTS)
        self._dropped_copies = self._counter(metrics.DROPPED_COPIES)
        time = metrics.ACKNOWLEDGEMENT
        self._seconds = Histogram(time.name, time.meaning, time.labels, buckets=_BUCKETS_S, registry=self._registry)

    def _counter(self, metric: metrics.Metric) -> Counter:
        return Counter(metric.name, metric.meaning, metric.labels, registry=self._registry)

    def count_dropped_copy(self, route: str) -> None:
        """Count one copy for a route's shadow that was not sent because too many waited."""
        self._dropped_copies.labels(route).inc()

    def count(self, webhook: Webhook | None, result: Result, seconds: float) -> None:
        """Count one webhook request that took `seconds`."""
        where = (webhook.name, webhook.dialect.name, webhook.settings.odoo) if webhook else (metrics.NONE,) * 3
        self._requests.labels(*where, result.value).inc()
        self._seconds.labels(*where).observe(seconds)

    async def answer(self, _request: Request) -> Response:
        """`GET /metrics`."""
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)
