from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.ledger import Ledger
from activities.records import Marker
from contracts.requests import Cost, GenerateInput, ImageRequest, RequestReference
from contracts.spend import SpendEntry, SpendState, calls_of, merged, row_of, summed
from operations.cli import execute
from runtime.blobs import LocalBlobStore
from tests.operations.commandline import CommandLine

NOW = datetime.now(UTC)
BEGUN = datetime(2026, 11, 23, 12, tzinfo=UTC)
STATES = list(SpendState)


def entry(state: SpendState, call: str = "c1", **fields: object) -> SpendEntry:
    """One entry of one call."""
    known = {
        "at": BEGUN + timedelta(seconds=STATES.index(state)),
        "state": state,
        "begun": BEGUN,
        "call": call,
        "number": 1,
        "service": "main",
        "route": "event",
        "request_id": "request-1",
        "store_key": "ab" * 32,
        "generation": 1,
    }
    return SpendEntry.model_validate({**known, **fields})


async def spend(
    directory: Path, states: list[SpendState], *, begun: datetime = NOW, amount: str = "0.04", user: str = "7"
) -> None:
    """A call in the ledger of the command line's store, priced where it came that far."""
    ledger = Ledger(LocalBlobStore(directory / "images"))
    call = GenerateInput.model_validate(
        {
            "reference": RequestReference(request_id=f"request-{user}", dialect="event"),
            "route": "event",
            "service": "main",
            "request": ImageRequest(prompt="a fox", user_id=user),
            "store_key": f"{begun.timestamp():.0f}{user}".rjust(64, "0"),
            "generation": 1,
            "policy": {"attempts": 1, "initial_s": 1, "maximum_s": 1, "timeout_s": 1, "deadline_s": 1},
            "traceparent": "",
            "odoo": "main",
        }
    )
    cost = Cost(amount=Decimal(amount), currency="USD", reported=False)
    for state in states:
        priced = (1, cost) if state in {SpendState.ACCEPTED, SpendState.STORED} else ()
        await ledger.note(call, Marker(sent_at=begun.timestamp(), gives_up_at=0), state, *priced)


@pytest.fixture
async def spent(offline: CommandLine) -> CommandLine:
    """Two users' calls of today, and one of three days ago."""
    served = [SpendState.INTENT, SpendState.SENT, SpendState.ACCEPTED, SpendState.STORED]
    await spend(offline.directory, served)
    await spend(offline.directory, served, user="8", amount="0.06")
    await spend(offline.directory, served, begun=NOW - timedelta(days=3), amount="1")
    await spend(offline.directory, [SpendState.INTENT, SpendState.SENT, SpendState.UNKNOWN], user="9")
    await spend(offline.directory, [SpendState.INTENT, SpendState.REFUSED], user="10")
    return offline


async def test_the_spend_of_each_user_as_a_table(spent: CommandLine) -> None:
    ran = await spent.run("spend", "--by", "user", "--from", f"{NOW:%Y-%m-%d}")
    assert ran.code == 0, ran.err
    rows = [line.split() for line in ran.out.splitlines()]
    assert ["7", "1", "1", "1", "0", "~0.04", "USD"] in rows
    assert ["8", "1", "1", "1", "0", "~0.06", "USD"] in rows
    assert ["9", "1", "0", "0", "1"] in rows
    assert ["10", "1", "0", "0", "0"] in rows
    assert ["total", "4", "2", "2", "1", "~0.1", "USD"] in rows
    assert "--unknown" in ran.out


async def test_the_same_as_a_document(spent: CommandLine) -> None:
    ran = await spent.run("spend", "--by", "day", "--json")
    document = ran.document
    assert [row["group"] for row in document["rows"]] == sorted(f"{NOW - timedelta(days=n):%Y-%m-%d}" for n in (0, 3))
    assert document["total"] == {
        "group": "total",
        "calls": 5,
        "images": 3,
        "paid": 3,
        "unknown": 1,
        "cost": {"USD": "1.10"},
        "estimated": True,
    }


async def test_the_calls_of_unknown_outcome_are_named(spent: CommandLine) -> None:
    ran = await spent.run("spend", "--unknown")
    assert "request-9" in ran.out
    assert "request-7" not in ran.out
    document = (await spent.run("spend", "--unknown", "--json")).document
    assert [(call["request_id"], call["sent"]) for call in document["unknown_calls"]] == [("request-9", True)]


async def test_only_the_days_that_are_asked_for_count(spent: CommandLine) -> None:
    day = f"{NOW - timedelta(days=3):%Y-%m-%d}"
    assert (await spent.run("spend", "--from", day, "--to", day, "--json")).document["total"]["calls"] == 1
    nothing = await spent.run("spend", "--from", "2020-01-01", "--to", "2020-01-31")
    assert (nothing.code, nothing.out) == (0, "no calls from 2020-01-01 to 2020-01-31\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "yesterday"), "'yesterday' is no day: write it as 2026-11-23"),
        (("--to", "2026-02-30"), "'2026-02-30' is no day: write it as 2026-11-23"),
        (("--from", "2026-11-02", "--to", "2026-11-01"), "--from 2026-11-02 is after --to 2026-11-01"),
        (("--by", "colour"), "is not one of"),
    ],
)
def test_bad_days_are_one_line(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = execute(["spend", *arguments])
    ran = capsys.readouterr()
    assert (code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert said in ran.err


@pytest.mark.parametrize(
    ("states", "standing"),
    [
        ("intent", "unknown"),
        ("intent sent", "unknown"),
        ("intent sent unknown", "unknown"),
        ("intent refused", "unpaid"),
        ("intent sent accepted", "paid"),
        ("intent unknown accepted stored", "paid"),
        ("refused stored", "paid"),
    ],
)
def test_what_a_calls_entries_say_together(states: str, standing: str) -> None:
    (call,) = calls_of([entry(SpendState(name)) for name in states.split()])
    assert call.standing == standing


def test_what_was_stored_says_what_it_cost() -> None:
    accepted = entry(SpendState.ACCEPTED, cost=Decimal(1), currency="USD", reported=False, images=1)
    stored = entry(SpendState.STORED, cost=Decimal(2), currency="USD", reported=True, images=2)
    row = row_of("total", calls_of([stored, accepted]))
    assert (row.cost, row.images, row.estimated) == ({"USD": Decimal(2)}, 2, False)


def test_currencies_are_not_added_up() -> None:
    costs = [("c1", "1.5", "USD"), ("c2", "2", "EUR"), ("c3", "0.25", "USD")]
    entries = [entry(SpendState.STORED, call, cost=amount, currency=currency) for call, amount, currency in costs]
    assert row_of("total", calls_of(entries)).cost == {"EUR": Decimal(2), "USD": Decimal("1.75")}


def test_a_group_without_a_name_has_a_dash() -> None:
    assert [row.group for row in summed(calls_of([entry(SpendState.INTENT)]), "campaign")] == ["-"]


@given(st.lists(st.tuples(st.sampled_from(STATES), st.sampled_from(["c1", "c2"])), max_size=20))
def test_order_and_repetition_change_nothing(made: list[tuple[SpendState, str]]) -> None:
    entries = [entry(state, call) for state, call in made]
    shuffled = [*entries, *entries[::-1]]
    assert merged(shuffled) == merged(entries)
    assert calls_of(shuffled) == calls_of(entries)
