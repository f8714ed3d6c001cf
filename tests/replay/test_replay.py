"""Every recorded history replays with today's workflow, and what must not replay does not."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import structlog
from temporalio import workflow

from operations.replaying import replay_files
from tests.replay.histories import HistoryError, HistoryFile, Library
from tests.replay.mutants import MUTANTS
from tests.replay.recording import NEVER_RECORDED, check_clean
from tests.replay.scenarios import SCENARIOS

LIBRARY = Library()
FILES = LIBRARY.files()


def names(file: HistoryFile) -> str:
    return file.path.stem


def one(scenario: str) -> Path:
    """Some history of the scenario."""
    return next(file.path for file in FILES if file.scenario == scenario)


@pytest.mark.parametrize("file", FILES, ids=names)
async def test_a_recorded_history_replays(file: HistoryFile) -> None:
    report = await replay_files([file.path])
    assert report.failures == (), "put the change of the workflow under workflow.patched (docs/replay.md)"
    assert report.passed


def test_every_scenario_has_a_history_and_every_history_a_scenario() -> None:
    assert {file.scenario for file in FILES} == set(SCENARIOS)
    assert all(file.path.suffix == ".json" and file.release for file in FILES)


def test_no_history_was_changed_since_it_was_recorded() -> None:
    assert LIBRARY.broken_seals() == []


@pytest.mark.parametrize("file", FILES, ids=names)
def test_a_history_holds_no_secret_and_nothing_of_the_machine(file: HistoryFile) -> None:
    check_clean(file.scenario, file.history(), NEVER_RECORDED)


@pytest.mark.parametrize("scenario", ["success", "dead_letter_redriven"])
@pytest.mark.parametrize("mutant", MUTANTS)
async def test_a_workflow_that_decides_otherwise_is_refused(mutant: type, scenario: str) -> None:
    (failure,) = (await replay_files([one(scenario)], [mutant])).failures
    assert "Nondeterminism error" in (failure.problem or "")


@pytest.mark.parametrize("content", ["", "{", "{}", '{"events": []}', "not a history"])
async def test_an_empty_or_broken_file_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "success__0.1.0.json"
    file.write_text(content, encoding="utf-8")
    assert not (await replay_files([one("success"), file])).passed


def test_the_seals_tell_an_edited_a_lost_and_a_stray_history(tmp_path: Path) -> None:
    library = Library(tmp_path)
    for scenario in ("edited", "lost", "kept"):
        library.add(library.file(scenario, "0.1.0"), "{}")
    library.file("edited", "0.1.0").path.write_text('{"events": []}', encoding="utf-8")
    library.file("lost", "0.1.0").path.unlink()
    library.file("stray", "0.1.0").path.write_text("{}", encoding="utf-8")
    told = library.broken_seals()
    assert [line.partition("__")[0] for line in told] == ["edited", "lost", "stray"]
    assert all("workflow.patched (docs/replay.md)" in line for line in told)


def test_a_history_is_never_recorded_again_not_even_after_it_was_removed(tmp_path: Path) -> None:
    library = Library(tmp_path)
    file = library.file("success", "0.1.0")
    library.add(file, "{}")
    with pytest.raises(HistoryError, match="never re-recorded"):
        library.add(file, "{}")
    file.path.unlink()
    with pytest.raises(HistoryError, match="never re-recorded"):
        library.add(file, "{}")
    library.add(library.file("success", "0.2.0"), "{}")


async def test_replay_is_silent(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.DEBUG, "temporalio.workflow")
    parked = one("dead_letter_redriven_twice")
    with structlog.testing.capture_logs() as structured:
        await replay_files([parked])
        assert (_workflow_events(caplog), structured) == ([], [])
        monkeypatch.setattr(workflow.logger, "log_during_replay", True)
        await replay_files([parked])
        assert _workflow_events(caplog) == ["dead_letter_parked"] * 2, "the count must be able to count"


def _workflow_events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [str(record.msg).split(" ")[0] for record in caplog.records if record.name.startswith("temporalio.workflow")]
