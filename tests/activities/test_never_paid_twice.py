"""Whatever goes wrong, wherever and however often: a request is paid for once, and the ledger knows it.

Faults strike at every boundary: the call (not sent, refused, served and lost, unreadable), the store (each operation
refused, doubtful, or the process dead before or after it), polls, downloads, results that the server drops, redrives.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import Failure
from contracts.requests import GeneratedImages
from contracts.spend import SpendState, summed
from tests.activities.doubles import PICTURE, Fault
from tests.activities.paying import Happening, Kind, Life

STORE_STEPS = 40
HAPPENINGS = st.lists(st.none() | st.sampled_from(Happening), max_size=8)
FAULTS = st.dictionaries(st.integers(0, STORE_STEPS), st.sampled_from(Fault), max_size=6)
DROPS = st.lists(st.booleans(), max_size=6)
lives = given(kind=st.sampled_from(Kind), happenings=HAPPENINGS, faults=FAULTS, drops=DROPS, finds=st.booleans())
often = settings(deadline=None, max_examples=80)


async def lived_through(life: Life, redrives: int = 2) -> list[GeneratedImages | Failure]:
    """The end of the request, and of each plain redrive of it."""
    return [await life.lived() for _ in range(redrives + 1)]


async def check_laws(life: Life, ends: list[GeneratedImages | Failure], most: int | None) -> None:
    """What must hold for every life; `most` is how often may be paid."""
    calls = await life.spent()
    told = life.service.happened
    assert most is None or life.service.paid <= most, told
    # Never below the truth: what was billed stands in the ledger as paid, or as possibly paid.
    known = sum(call.standing in {"paid", "unknown"} for call in calls)
    assert known >= life.service.paid, told
    assert len(calls) >= life.service.submits, told
    images = [end for end in ends if isinstance(end, GeneratedImages)]
    for end in images:
        assert await life.desk.images(end) == [PICTURE]
        assert life.service.paid >= 1
    if images:
        assert all(end == images[0] for end in ends[ends.index(images[0]) :]), "an end is the end"


@often
@lives
async def test_any_life_of_a_request_pays_at_most_once(
    kind: Kind, happenings: list[Happening | None], faults: dict[int, Fault], drops: list[bool], finds: bool
) -> None:
    with tempfile.TemporaryDirectory() as root:
        life = Life(Path(root), kind, happenings, faults, iter(drops), finds=finds)
        await check_laws(life, await lived_through(life), most=1)


@often
@lives
async def test_one_more_payment_where_the_policy_allows_one_more(
    kind: Kind, happenings: list[Happening | None], faults: dict[int, Fault], drops: list[bool], finds: bool
) -> None:
    with tempfile.TemporaryDirectory() as root:
        allowed = {"on_outcome_unknown": "retry_once"}
        life = Life(Path(root), kind, happenings, faults, iter(drops), settings=allowed, finds=finds)
        await check_laws(life, await lived_through(life), most=2)


@often
@lives
async def test_the_ledger_keeps_up_where_every_call_may_be_repeated(
    kind: Kind, happenings: list[Happening | None], faults: dict[int, Fault], drops: list[bool], finds: bool
) -> None:
    with tempfile.TemporaryDirectory() as root:
        allowed = {"on_outcome_unknown": "always"}
        life = Life(Path(root), kind, happenings, faults, iter(drops), settings=allowed, finds=finds)
        await check_laws(life, await lived_through(life), most=None)


@pytest.mark.parametrize("kind", Kind)
async def test_an_undisturbed_request_is_paid_once_and_the_ledger_says_exactly_that(kind: Kind, tmp_path: Path) -> None:
    price: dict[str, Any] = {"price": "0.04"}
    life = Life(tmp_path, kind, [], {}, iter([]), settings=price)
    ends = await lived_through(life)
    await check_laws(life, ends, most=1)
    (row,) = summed(await life.spent(), "service")
    assert (row.calls, row.paid, row.unknown, row.images) == (1, 1, 0, 1)
    assert {currency: str(amount) for currency, amount in row.cost.items()} == {"USD": "0.04"}
    expected = [SpendState.INTENT, SpendState.SENT, SpendState.ACCEPTED, SpendState.STORED]
    assert await life.desk.states() == expected
