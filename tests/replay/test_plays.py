"""Histories of the workflows beside the requests: each replays, and what must not replay does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts import names
from operations.replaying import replay_files
from tests.replay import enrolment
from tests.replay.eager import EAGER
from tests.replay.histories import HistoryError, HistoryFile, Library
from tests.replay.plays import PLAYS

EVERY = [(name, file) for name in PLAYS for file in Library(workflow=name).files()]
EACH = pytest.mark.parametrize(("name", "file"), EVERY, ids=[f"{name}-{file.path.stem}" for name, file in EVERY])


@EACH
async def test_a_recorded_history_replays(name: str, file: HistoryFile) -> None:
    report = await replay_files([file.path])
    assert report.failures == (), f"put the change of {name} under workflow.patched (docs/replay.md)"
    assert report.passed


@EACH
async def test_a_workflow_that_does_more_is_refused(name: str, file: HistoryFile) -> None:
    (failure,) = (await replay_files([file.path], [EAGER[name]])).failures
    assert "Nondeterminism error" in (failure.problem or "")


@pytest.mark.parametrize("name", PLAYS)
def test_every_scenario_has_a_history_and_every_history_a_scenario(name: str) -> None:
    assert {file.scenario for file in Library(workflow=name).files()} == set(PLAYS[name])


def test_every_workflow_beside_the_requests_is_played() -> None:
    assert set(PLAYS) == set(enrolment.enrolled()) - {names.WORKFLOW}
    assert enrolment.missing() == []


async def test_a_history_that_is_there_is_never_played_again() -> None:
    (name, file), *_ = EVERY
    with pytest.raises(HistoryError, match="never re-recorded"):
        await enrolment.record([f"{name}/{file.scenario}"], file.release)


async def test_a_new_release_is_played_on_a_server_of_its_own(tmp_path: Path) -> None:
    ((file, history),) = await enrolment.record([f"{names.RETENTION_WORKFLOW}/rehearsed"], "9.9.9")
    assert file.path.name == "rehearsed__9.9.9.json"
    assert not file.path.exists(), "kept by who asked, once all are good"
    played = tmp_path / file.path.name
    played.write_text(history.to_json(), encoding="utf-8")
    assert (await replay_files([played])).passed
