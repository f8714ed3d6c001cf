"""The demo's verdict can fail: each thing that must not happen is seen, in the exit code and in the document."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from temporalio.client import Client

from operations.demo.configuration import ROUTES
from operations.demo.report import document, succeeded
from operations.demo.requests import DemoRequest
from operations.demo.run import DemoRun, Tracked, count_duplicates
from operations.stack import StandIns

CLEAN = {"duplicates": 0, "conflicts": 0}


def _request(request_id: str, outcome: str) -> DemoRequest:
    return DemoRequest(request_id, ROUTES[0], "plain", {}, {}, outcome)


@pytest.fixture
async def run() -> DemoRun:
    """A run that went well: two images delivered, one request rejected as expected."""
    nobody = await Client.connect("127.0.0.1:1", lazy=True)
    requests = [_request("a", "completed"), _request("b", "completed"), _request("c", "rejected")]
    made = DemoRun(nobody, "http://127.0.0.1:1", StandIns(1, 1), requests)
    for one in made.tracked:
        one.outcome = one.stage = one.request.outcome
    return made


def _parked(one: Tracked) -> None:
    one.outcome, one.stage = None, "parked"


def _unsettled(one: Tracked) -> None:
    one.outcome, one.stage = None, "generating"


def _rejected(one: Tracked) -> None:
    one.outcome = one.stage = "rejected"


def _problem(one: Tracked) -> None:
    one.problem = "another image arrived than was stored"


def test_a_clean_run_is_a_success(run: DemoRun) -> None:
    assert succeeded(run)
    said = document(run)
    assert (said["requested"], said["delivered"], said["rejected"]) == (3, 2, 1)
    assert (said["dead_letters"], said["duplicates"]) == (0, 0)


@pytest.mark.parametrize("spoil", [_parked, _unsettled, _rejected, _problem])
def test_one_request_that_went_wrong_fails_the_run(run: DemoRun, spoil: Callable[[Tracked], None]) -> None:
    spoil(run.tracked[1])
    assert not succeeded(run)


def test_a_rejection_that_did_not_happen_fails_the_run(run: DemoRun) -> None:
    run.tracked[2].outcome = "completed"
    assert not succeeded(run)
    assert (document(run)["delivered"], document(run)["rejected"]) == (3, 0)


def test_a_parked_request_is_a_dead_letter_in_the_document(run: DemoRun) -> None:
    _parked(run.tracked[0])
    said = document(run)
    assert (said["dead_letters"], said["delivered"]) == (1, 1)
    assert (said["requests"][0]["outcome"], said["requests"][0]["expected"]) == (None, "completed")


def test_a_problem_is_named_in_the_document(run: DemoRun) -> None:
    _problem(run.tracked[0])
    assert [entry["problem"] for entry in document(run)["requests"]] == [run.tracked[0].problem, None, None]


def test_a_duplicate_fails_the_run(run: DemoRun) -> None:
    run.duplicates = 1
    assert not succeeded(run)
    assert document(run)["duplicates"] == 1


@pytest.mark.parametrize(
    ("received", "paid", "runs", "count"),
    [
        (CLEAN, {"a": 1, "b": 1}, [1, 1, 0], 0),
        (CLEAN, {"a": 1, "b": 0}, [1, 1], 0),
        ({**CLEAN, "duplicates": 2}, {"a": 1}, [1], 2),
        ({**CLEAN, "conflicts": 1}, {"a": 1}, [1], 1),
        (CLEAN, {"a": 3, "b": 1}, [1, 1], 2),
        (CLEAN, {"a": 1}, [2, 1], 1),
        ({"duplicates": 1, "conflicts": 1}, {"a": 2}, [2], 4),
    ],
    ids=["none", "unpaid", "outcome twice", "contradiction", "paid thrice", "run twice", "all of it"],
)
def test_whatever_happens_twice_is_counted(
    received: dict[str, int], paid: dict[str, int], runs: list[int], count: int
) -> None:
    assert count_duplicates(received, paid, runs) == count
