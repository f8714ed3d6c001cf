"""What a scrape of a real run holds: every metric, its labels, its buckets, and the right numbers."""

from __future__ import annotations

import math

import pytest

from contracts import metrics
from contracts.decisions import Discard
from contracts.dialects import DIALECTS
from contracts.metrics import Metric
from contracts.names import DISCARD
from runtime.updates import execute_update
from tests.metrics.conftest import Run
from tests.metrics.scraping import Scrape

SDK = {"namespace", "task_queue", "workflow_type", "activity_type", "service_name"}
"""What Temporal's SDK adds to metrics that are counted in workflows and activities."""
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


@pytest.mark.parametrize("metric", metrics.ALL, ids=lambda metric: str(metric.name))
def test_every_metric_is_there_under_its_type_and_labels(scrape: Scrape, metric: Metric) -> None:
    assert scrape.kinds.get(metric.name) == metric.kind
    for suffix in SUFFIXES[metric.kind]:
        found = scrape.labels(metric.name + suffix)
        assert found - SDK - {"le"} == set(metric.labels) - SDK or metric is metrics.DROPPED_COPIES


def test_nothing_of_ours_is_there_that_is_not_documented(scrape: Scrape) -> None:
    ours = {name for name in scrape.kinds if name.startswith("orchestrator_") and not name.endswith("_created")}
    assert ours == {metric.name for metric in metrics.ALL}


@pytest.mark.parametrize(
    "metric", [metrics.TIME_TO_IMAGE, metrics.TIME_TO_CALLBACK], ids=lambda metric: str(metric.name)
)
def test_times_have_the_buckets_of_the_service_levels(scrape: Scrape, metric: Metric) -> None:
    assert _buckets(scrape, metric) == [*metrics.BUCKETS_S, math.inf]


def test_the_acknowledgement_has_finer_buckets_too(scrape: Scrape) -> None:
    found = _buckets(scrape, metrics.ACKNOWLEDGEMENT)
    assert set(metrics.BUCKETS_S) < set(found)
    assert 0.5 in found


def _buckets(scrape: Scrape, metric: Metric) -> list[float]:
    lines = [one for one in scrape.samples if one.name == f"{metric.name}_bucket"]
    return sorted({float(one.labels["le"]) for one in lines})


def test_requests_are_counted_once_each(scrape: Scrape) -> None:
    assert scrape.total("orchestrator_requests_total", dialect="event", service="flux", odoo="demo") == 3
    assert scrape.total("orchestrator_requests_total", dialect="request", service="openai", odoo="demo") == 2
    assert scrape.total("orchestrator_outcomes_total", outcome="completed", failure="none") == 4
    assert scrape.total("orchestrator_outcomes_total") == 4
    assert scrape.total("orchestrator_webhook_requests_total", result="accepted", odoo="demo") == 5
    assert scrape.total("orchestrator_webhook_requests_total", result="deduplicated") == 1


def test_times_are_taken_once_for_each_image_and_each_outcome_that_odoo_took(scrape: Scrape) -> None:
    assert scrape.total("orchestrator_time_to_image_seconds_count") == 4
    assert scrape.total("orchestrator_time_to_callback_seconds_count", outcome="image") == 4
    assert scrape.total("orchestrator_time_to_callback_seconds_count", outcome="failure") == 2
    image, callback = (scrape.total(f"orchestrator_time_to_{what}_seconds_sum") for what in ("image", "callback"))
    assert 0 < image < callback


def test_an_attempt_that_is_repeated_is_a_retry_and_one_that_is_not_is_none(scrape: Scrape) -> None:
    overloaded = {"activity_type": "generate-image", "service": "flux", "cause": "ProviderOverloaded"}
    assert scrape.total("orchestrator_retries_total", **overloaded) == 1
    away = {"activity_type": "deliver-callback", "odoo": "demo", "cause": "CallbackUndeliverable"}
    assert scrape.total("orchestrator_retries_total", **away) == 2
    assert scrape.total("orchestrator_retries_total") == 3


def test_a_dead_letter_is_counted_and_observed_with_its_age(scrape: Scrape) -> None:
    where = {"dialect": "event", "service": "flux", "odoo": "demo"}
    counted = {**where, "step": "generate", "cause": "AuthenticationFailed"}
    assert scrape.total("orchestrator_dead_letters_total", **counted) == 2
    assert scrape.total("orchestrator_redrives_total", **where) == 1
    assert scrape.total("orchestrator_dead_letters_open", **where, cause="AuthenticationFailed") == 1
    assert scrape.total("orchestrator_dead_letter_oldest_age_seconds", **where) > 0
    assert scrape.total("orchestrator_dead_letter_oldest_age_seconds") == scrape.total(
        "orchestrator_dead_letter_oldest_age_seconds", **where
    )


def test_spend_has_its_currency(scrape: Scrape) -> None:
    assert scrape.total("orchestrator_spend_millionths_total", service="flux", currency="EUR") == 2 * 40_000
    assert scrape.total("orchestrator_image_calls_total", state="stored") == 4


def test_accounts_and_queues_are_observed(scrape: Scrape) -> None:
    assert scrape.total("orchestrator_slots", service="flux") == 5
    queues = {one.labels["task_queue"] for one in scrape.samples if one.name == "orchestrator_queue_pollers"}
    services = {f"{kind}.{name}" for kind in ("images", "jobs") for name in ("flux", "openai")}
    assert queues == {"orchestrator", "maintenance", "callbacks.demo", *services}
    assert scrape.total("orchestrator_queue_pollers", task_queue="images.flux") == 1


def test_labels_hold_configured_names_and_our_own_words_only(scrape: Scrape, run: Run) -> None:
    ours = [one for one in scrape.samples if one.name.startswith("orchestrator_")]
    values = {
        label: {one.labels[label] for one in ours if label in one.labels} for label in ("dialect", "service", "odoo")
    }
    assert values["dialect"] <= {*DIALECTS, "none"}
    assert values["service"] <= {"flux", "openai", "none"}
    assert values["odoo"] <= {"demo", "none"}
    for private in (*(order.request_id for order in run.completed), run.parked.request_id, "private fox"):
        assert private not in scrape.text


async def test_a_dead_letter_that_is_gone_is_not_shown_as_open_for_ever(scrape: Scrape, run: Run) -> None:
    handle = run.site.stack.client.get_workflow_handle(run.parked.workflow_id)
    await execute_update(handle, DISCARD, [Discard(by="test", reason="it is over")])
    after = await run.observed("orchestrator_dead_letters_open", 0)
    assert after.total("orchestrator_dead_letter_oldest_age_seconds") == 0
    assert after.total("orchestrator_outcomes_total", outcome="discarded", failure="AuthenticationFailed") == 1
