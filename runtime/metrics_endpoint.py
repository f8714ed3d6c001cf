"""How the worker's Prometheus endpoint shows metrics, Temporal's own and ours: base units, and our buckets."""

from __future__ import annotations

from temporalio.runtime import PrometheusConfig

from contracts import metrics


def prometheus(bind: str) -> PrometheusConfig:
    """The endpoint at that address."""
    return PrometheusConfig(
        bind_address=bind,
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
        histogram_bucket_overrides={
            metric.name: metrics.BUCKETS_S for metric in metrics.ALL if metric.kind == "histogram"
        },
    )
