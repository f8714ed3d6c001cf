"""From what Temporal tells to gauges, and what keeps labels bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts import metrics
from contracts.accounts import Limits, Overrides, Standing
from contracts.circuits import Circuit
from operations.demo.configuration import write_configuration
from operations.stack import StandIns
from runtime.configuration import load_settings
from runtime.metrics_readings import CLOSED, HALF_OPEN, OPEN, ParkedLetter, account_readings, dead_letter_readings
from runtime.settings import Settings

NOW = 1_000_000.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(write_configuration(tmp_path, 5678, StandIns(9001, 9002)).config)


@pytest.mark.parametrize(
    ("open_until", "state"), [(None, CLOSED), (NOW + 1, OPEN), (NOW, HALF_OPEN), (NOW - 1, HALF_OPEN)]
)
def test_a_circuit_whose_time_is_over_is_half_open(open_until: float | None, state: float) -> None:
    standing = Standing(limits=Limits(), circuit=Circuit(open_until=open_until))
    assert _values(standing)[metrics.CIRCUIT.name] == state


def test_an_account_tells_its_rest_its_quota_and_its_slots_in_force() -> None:
    standing = Standing(
        limits=Limits(concurrency=5),
        live=Overrides(concurrency=2),
        cooldown_until=NOW + 7,
        quota_exhausted_since=NOW - 1,
    )
    values = _values(standing)
    assert (values["orchestrator_cooldown_seconds"], values["orchestrator_quota_exhausted"]) == (7, 1)
    assert values["orchestrator_slots"] == 2


def test_an_account_without_a_limit_has_no_slots_and_a_past_rest_is_none() -> None:
    values = _values(Standing(limits=Limits(), cooldown_until=NOW - 7))
    assert "orchestrator_slots" not in values
    assert values["orchestrator_cooldown_seconds"] == 0


def _values(standing: Standing) -> dict[str, float]:
    return {one.metric.name: one.value for one in account_readings("flux", standing, NOW)}


def test_the_oldest_counts_and_who_has_none_shows_a_zero(settings: Settings) -> None:
    place = ("event", "flux", "demo")
    letters = [ParkedLetter(place, "QuotaExhausted", NOW - 5), ParkedLetter(place, "Internal", NOW - 50)]
    readings = dead_letter_readings(letters, settings, NOW)
    ages = {one.labels["dialect"]: one.value for one in readings if one.metric is metrics.DEAD_LETTER_AGE}
    assert ages["event"] == 50
    assert ages["adapter"] == 0
    counts = {
        (one.labels["dialect"], one.labels["cause"]): one.value
        for one in readings
        if one.metric is metrics.DEAD_LETTERS_OPEN
    }
    assert counts["event", "QuotaExhausted"] == counts["event", "Internal"] == 1
    assert counts["adapter", "none"] == 0


def test_what_is_not_configured_is_one_label_for_all() -> None:
    assert metrics.known("made-up", {"flux"}) == "other"
    assert metrics.request_labels("made-up", None, "main") == {"dialect": "other", "service": "none", "odoo": "main"}
