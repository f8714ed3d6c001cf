"""What requests count for the metrics. No command: nothing here is in a history, and nothing counts in a replay.

Labels hold names from the settings and our own enumerations only, so their number is bounded (docs/metrics.md).
"""

from __future__ import annotations

from temporalio import workflow

from contracts import metrics
from contracts.decisions import Parked
from contracts.requests import DeliverInput, ImageGenerationInput, ImageGenerationResult


def began(order: ImageGenerationInput) -> None:
    """A request was taken up."""
    _count(metrics.REQUESTS, _labels(order, order.service))


def image_made(order: ImageGenerationInput, service: str) -> None:
    """The images are in the store."""
    _observe(metrics.TIME_TO_IMAGE, _labels(order, service))


def parked(order: ImageGenerationInput, service: str, why: Parked) -> None:
    """The request became a dead letter."""
    _count(metrics.DEAD_LETTERS, {**_labels(order, service), "step": why.step, "cause": why.failure.failure})


def redriven(order: ImageGenerationInput, service: str) -> None:
    """A dead letter is taken up again."""
    _count(metrics.REDRIVES, _labels(order, service))


def delivered(call: DeliverInput) -> None:
    """Odoo took an outcome."""
    made = call.outcome.generated
    labels = metrics.request_labels(call.reference.dialect, made.service if made else None, call.odoo)
    _observe(metrics.TIME_TO_CALLBACK, {**labels, "outcome": "image" if made else "failure"})


def settled(order: ImageGenerationInput, service: str, result: ImageGenerationResult) -> None:
    """The request has ended."""
    failure = result.failure.failure if result.failure else metrics.NONE
    made_by = result.generated.service if result.generated else service
    _count(metrics.OUTCOMES, {**_labels(order, made_by), "outcome": result.outcome, "failure": failure})


def _labels(order: ImageGenerationInput, service: str) -> dict[str, str]:
    configured = {order.service, *order.services}
    return metrics.request_labels(order.reference.dialect, metrics.known(service, configured), order.odoo)


def _count(metric: metrics.Metric, labels: dict[str, str]) -> None:
    workflow.metric_meter().create_counter(metric.name, metric.meaning).add(1, dict(labels))


def _observe(metric: metrics.Metric, labels: dict[str, str]) -> None:
    """Seconds since the request's start, by Temporal's clock."""
    age = (workflow.now() - workflow.info().start_time).total_seconds()
    workflow.metric_meter().create_histogram_float(metric.name, metric.meaning).record(max(0.0, age), dict(labels))
