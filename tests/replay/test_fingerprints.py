"""What replay does not see: timeouts, retries, queues, summaries, search attributes. Each change is approved."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from temporalio.client import Client

from tests.replay import approval
from tests.replay.approval import Approved, difference
from tests.replay.fingerprints import fingerprint
from tests.replay.histories import Library
from tests.replay.reenactment import Reenacted, reenact_all
from tests.replay.scenarios import SCENARIOS

LIBRARY = Library()


@pytest.fixture(scope="module")
def approved() -> Approved:
    return approval.read()


@pytest.fixture(scope="module")
async def fresh(temporal_client: Client) -> Mapping[str, Reenacted]:
    """What today's workflow asks for, run on doubles through every recorded history."""
    return await reenact_all(temporal_client, LIBRARY.latest())


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_today_s_workflow_asks_for_what_was_approved(
    scenario: str, fresh: Mapping[str, Reenacted], approved: Approved
) -> None:
    told = difference(scenario, approved.scenarios[scenario], fresh[scenario].fingerprint)
    if told:
        pytest.fail(told, pytrace=False)


def test_the_quick_callback_keeps_its_options(fresh: Mapping[str, Reenacted], approved: Approved) -> None:
    assert {run.quick_options for run in fresh.values()} - {None} == {approved.quick_options}


def test_what_was_recorded_for_the_release_is_what_was_approved(approved: Approved) -> None:
    recorded = [file for file in LIBRARY.files() if file.release == approved.release]
    told = [
        difference(file.scenario, approved.scenarios[file.scenario], fingerprint(file.history())) for file in recorded
    ]
    assert [line for line in told if line] == []


def test_only_scenarios_are_approved(approved: Approved) -> None:
    assert set(approved.scenarios) == set(SCENARIOS)


def test_a_changed_option_is_told_with_what_to_do() -> None:
    told = difference("success", ["generate heartbeat=30s", "end"], ["generate heartbeat=60s", "end"]) or ""
    assert "-generate heartbeat=30s\n+generate heartbeat=60s" in told
    assert "scripts/record-histories --approve" in told
