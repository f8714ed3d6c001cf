"""Every workflow is replayed and its options are approved, by discovery: a new one cannot be forgotten."""

from __future__ import annotations

import pytest

from contracts import names
from tests.replay import enrolment
from tests.replay.asked import asked, asked_in_each
from tests.replay.enrolment import approved, enrolled
from tests.replay.histories import DIRECTORY, HistoryFile, Library
from tests.replay.impatient import ImpatientRetention
from tests.replay.recording import NEVER_RECORDED, check_clean

EVERY = [(name, file) for name in enrolled() for file in Library(workflow=name).files()]
EACH = pytest.mark.parametrize(("name", "file"), EVERY, ids=[f"{name}-{file.path.stem}" for name, file in EVERY])


def fail(told: str) -> None:
    pytest.fail(told, pytrace=False)


def test_every_workflow_that_is_written_is_registered() -> None:
    assert set(enrolment.defined()) == {one.__name__ for one in enrolled().values()}, "add it to workflows.WORKFLOWS"


@pytest.mark.parametrize("name", enrolled())
def test_every_workflow_has_recorded_histories(name: str) -> None:
    if not Library(workflow=name).files():
        fail(enrolment.NOT_RECORDED.format(workflow=name))


def test_every_history_belongs_to_a_workflow() -> None:
    assert {path.name for path in DIRECTORY.iterdir() if path.is_dir()} <= set(enrolled())


@pytest.mark.parametrize("name", enrolled())
async def test_what_it_asks_for_is_approved(name: str) -> None:
    histories, before = {file.path.stem: file.history() for file in Library(workflow=name).files()}, approved(name)
    for history, now in (await asked_in_each(histories)).items():
        if history not in before:
            fail(enrolment.NOT_APPROVED.format(workflow=name, history=history))
        told = enrolment.difference(name, history, before[history], now)
        if told:
            fail(told)


@EACH
def test_it_holds_no_secret_and_nothing_of_the_machine(name: str, file: HistoryFile) -> None:
    check_clean(f"{name}/{file.scenario}", file.history(), NEVER_RECORDED)


@pytest.mark.parametrize("name", enrolled())
def test_nothing_is_approved_that_is_not_recorded_and_no_seal_is_broken(name: str) -> None:
    library = Library(workflow=name)
    assert set(approved(name)) == {file.path.stem for file in library.files()}
    assert library.broken_seals() == []


@pytest.mark.parametrize("patch", sorted(enrolment.patches()))
async def test_every_patch_was_led_through_its_new_way(patch: str) -> None:
    lines = [line for name in enrolled() for history in approved(name).values() for line in history]
    if f"set_patch_marker {patch}" not in lines:
        fail(enrolment.NOT_PLAYED.format(patch=patch))


async def test_an_option_that_replay_does_not_see_is_seen_here() -> None:
    name, file = names.RETENTION_WORKFLOW, Library(workflow=names.RETENTION_WORKFLOW).files()[0]
    before = approved(name)[file.path.stem]
    now = await asked(file.history(), [ImpatientRetention])
    told = enrolment.difference(name, file.path.name, before, now) or ""
    assert "heartbeat=180s" in told
    assert "+schedule_activity sweep-store on maintenance schedule_to_close=75600s heartbeat=1s" in told
    assert "workflow.patched" in told
    assert "scripts/record-histories --approve" in told
