"""Whatever the store or the process does, and whenever: a service that is paid is called at most once."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.services.base import Completed, InlineArtifact
from contracts.errors import Failure, FailureClass
from contracts.requests import Generation
from tests.activities.desk import Desk, settled
from tests.activities.doubles import (
    ACCEPTED,
    INLINE,
    JOB,
    OTHER_PICTURE,
    PICTURE,
    REMOTE,
    FailingBlobStore,
    Fault,
    KilledError,
    ScriptedService,
    Step,
)

BOTH = Completed((InlineArtifact(PICTURE), InlineArtifact(OTHER_PICTURE)))
ANSWERS: Mapping[str, Step] = MappingProxyType(
    {
        "inline": INLINE,
        "several": BOTH,
        "remote": REMOTE,
        "job": ACCEPTED,
        "unusable": Completed((InlineArtifact(b""),)),
    }
)
PICTURES = MappingProxyType(
    {"inline": [PICTURE], "several": [PICTURE, OTHER_PICTURE], "remote": [PICTURE, OTHER_PICTURE]}
)
UNLUCKY = {FailureClass.OUTCOME_UNKNOWN, FailureClass.INTERNAL}
answers = pytest.mark.parametrize("answer", ANSWERS)


async def lived_through(desk: Desk, store: FailingBlobStore) -> Generation | Failure:
    """Attempts by one worker after the other, until there is an end."""
    while True:
        try:
            return await settled(desk.generating())
        except KilledError:
            store.revive()


async def outcome(root: Path, answer: str, faults: Mapping[int, Fault], **settings: object) -> tuple[Desk, list[str]]:
    """Live through the faults, check every law, and give what was done to the store."""
    store = FailingBlobStore(root, faults)
    desk = Desk(root, ScriptedService(submits=[ANSWERS[answer]]), settings, store)
    end = await lived_through(desk, store)
    operations = list(store.operations)
    await check_laws(desk, answer, end)
    return desk, operations


async def check_laws(desk: Desk, answer: str, end: Generation | Failure) -> None:
    calls = len(desk.service.submitted)
    if isinstance(end, Failure):
        expected = {FailureClass.ARTIFACT_INVALID} if answer == "unusable" else set()
        assert end.failure in UNLUCKY | expected
        return
    if answer == "job":
        assert end.job == JOB
    else:
        assert await desk.images(end.generated) == PICTURES[answer]
    assert await Desk(desk.root, desk.service).generating().attempt() == end, "an end is the end"
    assert len(desk.service.submitted) == calls


async def operations_of(answer: str, root: Path) -> list[str]:
    """What an undisturbed generation does to the store."""
    return (await outcome(root, answer, {}))[1]


@answers
@pytest.mark.parametrize("fault", Fault)
async def test_a_fault_at_any_operation_pays_at_most_once(answer: str, fault: Fault, tmp_path: Path) -> None:
    for position in range(len(await operations_of(answer, tmp_path / "plain"))):
        desk, _ = await outcome(tmp_path / str(position), answer, {position: fault})
        assert len(desk.service.submitted) <= 1, f"{fault} at operation {position}"


@settings(deadline=None, max_examples=60)
@given(
    answer=st.sampled_from(sorted(ANSWERS)),
    faults=st.dictionaries(st.integers(0, 25), st.sampled_from(Fault), max_size=8),
)
async def test_any_series_of_faults_pays_at_most_once(answer: str, faults: dict[int, Fault]) -> None:
    with tempfile.TemporaryDirectory() as root:
        desk, _ = await outcome(Path(root), answer, faults)
        assert len(desk.service.submitted) <= 1


@settings(deadline=None, max_examples=60)
@given(faults=st.dictionaries(st.integers(0, 25), st.sampled_from(Fault), max_size=8))
async def test_any_series_of_faults_pays_at_most_twice_where_one_more_is_allowed(faults: dict[int, Fault]) -> None:
    with tempfile.TemporaryDirectory() as root:
        desk, _ = await outcome(Path(root), "inline", faults, on_outcome_unknown="retry_once")
        assert len(desk.service.submitted) <= 2


@pytest.mark.parametrize("answer", ["inline", "several", "remote"])
async def test_marker_and_intent_come_before_the_call_and_the_manifest_last(answer: str, tmp_path: Path) -> None:
    writes = [operation for operation in await operations_of(answer, tmp_path) if not operation.startswith("read")]
    assert writes[:2] == ["create requests/marker.json", "create ledger/intent.json"]
    # The ledger is told beside it.
    assert set(writes[-2:]) == {"write requests/manifest.json", "create ledger/stored.json"}
    assert writes.count("write requests/manifest.json") == 1


async def test_a_lost_manifest_of_downloaded_images_costs_no_call(tmp_path: Path) -> None:
    manifest = (await operations_of("remote", tmp_path / "plain")).index("write requests/manifest.json")
    desk, _ = await outcome(tmp_path / "lost", "remote", {manifest: Fault.KILLED_BEFORE})
    assert len(desk.service.submitted) == 1
    assert len(desk.service.downloaded) == 4
