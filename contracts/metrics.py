"""The metrics of the orchestrator: one prefix, base units, and labels whose values are bounded."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from contracts.dialects import DIALECTS

NONE = "none"
"""The label value where there is nothing to name."""
OTHER = "other"
"""The label value of what is not configured here, so that no request can add a label of its own."""

BUCKETS_S = (1.0, 2.5, 5.0, 7.5, 10.0, 12.5, 15.0, 17.5, 20.0, 25.0, 30.0, 45.0, 60.0)
"""The buckets of the times that the service levels speak of."""

_OF_A_REQUEST = ("dialect", "service", "odoo")


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric as a scrape shows it, except for the suffixes that Prometheus adds (`_total`, `_bucket`, ...)."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    meaning: str


def _counter(name: str, labels: tuple[str, ...], meaning: str) -> Metric:
    return Metric(f"orchestrator_{name}", "counter", labels, meaning)


def _gauge(name: str, labels: tuple[str, ...], meaning: str) -> Metric:
    return Metric(f"orchestrator_{name}", "gauge", labels, meaning)


def _histogram(name: str, labels: tuple[str, ...], meaning: str) -> Metric:
    return Metric(f"orchestrator_{name}", "histogram", labels, meaning)


WEBHOOK_REQUESTS = _counter(
    "webhook_requests", ("route", "dialect", "odoo", "result"), "Webhook requests by what became of them."
)
ACKNOWLEDGEMENT = _histogram(
    "acknowledgement_seconds", ("route", "dialect", "odoo"), "Time from a request's head to the answer."
)
DROPPED_COPIES = _counter(
    "shadow_copies_dropped", ("route",), "Copies for a route's shadow that were not sent because too many waited."
)

REQUESTS = _counter("requests", _OF_A_REQUEST, "Requests that were taken up.")
OUTCOMES = _counter("outcomes", (*_OF_A_REQUEST, "outcome", "failure"), "Requests that ended, by how.")
DEAD_LETTERS = _counter("dead_letters", (*_OF_A_REQUEST, "step", "cause"), "Requests that became a dead letter.")
REDRIVES = _counter("redrives", _OF_A_REQUEST, "Dead letters that were taken up again.")
RETRIES = _counter("retries", (*_OF_A_REQUEST, "cause"), "Attempts that failed and are repeated.")
TIME_TO_IMAGE = _histogram(
    "time_to_image_seconds", _OF_A_REQUEST, "Time from a request's start until its images are stored."
)
TIME_TO_CALLBACK = _histogram(
    "time_to_callback_seconds", (*_OF_A_REQUEST, "outcome"), "Time from a request's start until Odoo took an outcome."
)
IMAGE_CALLS = _counter("image_calls", (*_OF_A_REQUEST, "state"), "Calls to image services by how far they came.")
SPEND = _counter("spend_millionths", (*_OF_A_REQUEST, "currency"), "Cost of stored images, in millionths.")

DEAD_LETTERS_OPEN = _gauge("dead_letters_open", (*_OF_A_REQUEST, "cause"), "Dead letters that wait for a decision.")
DEAD_LETTER_AGE = _gauge("dead_letter_oldest_age_seconds", _OF_A_REQUEST, "Time since the oldest open one was parked.")
BACKLOG = _gauge("queue_backlog_tasks", ("task_queue",), "Tasks that wait in a task queue, as Temporal estimates.")
BACKLOG_AGE = _gauge("queue_backlog_age_seconds", ("task_queue",), "How long the oldest task of a queue has waited.")
POLLERS = _gauge("queue_pollers", ("task_queue",), "Pollers that serve a task queue.")
CIRCUIT = _gauge("circuit_state", ("service",), "0 closed, 1 half-open, 2 open.")
COOLDOWN = _gauge("cooldown_seconds", ("service",), "Time for which an account still rests.")
QUOTA = _gauge("quota_exhausted", ("service",), "1 while a service says that the account's quota is used up.")
SLOTS = _gauge("slots", ("service",), "Concurrent calls that an account allows; absent where it has no limit.")
SLOTS_HELD = _gauge("slots_held", ("service",), "Slots of an account that requests hold.")
SLOTS_AWAITED = _gauge("slots_awaited", ("service",), "Requests that wait for a slot of an account.")
OBSERVED = _gauge("observed_timestamp_seconds", (), "When the observed gauges were last read, as epoch seconds.")

ALL = (
    *(WEBHOOK_REQUESTS, ACKNOWLEDGEMENT, DROPPED_COPIES),
    *(REQUESTS, OUTCOMES, DEAD_LETTERS, REDRIVES, RETRIES, TIME_TO_IMAGE, TIME_TO_CALLBACK, IMAGE_CALLS, SPEND),
    *(DEAD_LETTERS_OPEN, DEAD_LETTER_AGE, BACKLOG, BACKLOG_AGE, POLLERS),
    *(CIRCUIT, COOLDOWN, QUOTA, SLOTS, SLOTS_HELD, SLOTS_AWAITED, OBSERVED),
)
"""Every metric of ours, the starter's first, then what is counted, then what is observed."""


def request_labels(dialect: str, service: str | None, odoo: str) -> dict[str, str]:
    """The labels that every metric of a request has. `service` and `odoo` must be names from the settings."""
    return {"dialect": known(dialect, DIALECTS), "service": service or NONE, "odoo": odoo}


def known(name: str, names: Collection[str]) -> str:
    """The name where it is one of `names`, else `OTHER`."""
    return name if name in names else OTHER
