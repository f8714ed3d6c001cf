"""Every recorded history of `alerts` replays with today's workflow, and what must not replay does not."""

from __future__ import annotations

import pytest

from contracts import names
from operations.replaying import replay_files
from tests.alerts.alert_mutants import EagerAlerts
from tests.alerts.alert_scenarios import SCENARIOS
from tests.replay.histories import HistoryFile, Library
from tests.replay.recording import NEVER_RECORDED, check_clean

LIBRARY = Library(workflow=names.ALERTS_WORKFLOW)
FILES = LIBRARY.files()
EACH = pytest.mark.parametrize("file", FILES, ids=lambda file: file.path.stem)


@EACH
async def test_a_recorded_history_of_the_watch_replays(file: HistoryFile) -> None:
    report = await replay_files([file.path])
    assert report.failures == (), "put the change of the workflow under workflow.patched (docs/replay.md)"
    assert report.passed


@EACH
async def test_a_watch_that_decides_otherwise_is_refused(file: HistoryFile) -> None:
    (failure,) = (await replay_files([file.path], [EagerAlerts])).failures
    assert "Nondeterminism error" in (failure.problem or "")


@EACH
def test_the_history_of_the_watch_holds_no_secret_and_nothing_of_the_machine(file: HistoryFile) -> None:
    check_clean(file.scenario, file.history(), NEVER_RECORDED)


def test_every_scenario_of_the_watch_has_a_history_that_nobody_has_changed() -> None:
    assert {file.scenario for file in FILES} == set(SCENARIOS)
    assert LIBRARY.broken_seals() == []
