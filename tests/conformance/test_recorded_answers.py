"""Every recorded answer of a real n8n is ours too, but for the deviations that the documentation lists."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from operations.conformance.cases import Answer, Case, load_cases
from operations.conformance.comparing import differences, idle_rows, problems
from operations.conformance.deviations import Deviation, load_deviations
from operations.conformance.wire import Server, exchange

CASES = load_cases()
TABLE = load_deviations()


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
async def test_the_answer_is_the_recorded_one(recorded_webhooks: Server, case: Case) -> None:
    assert problems(case, await exchange(recorded_webhooks, case), TABLE) == []


def test_all_recorded_cases_are_there() -> None:
    assert len(CASES) == len({case.name for case in CASES}) == 77


def test_every_row_of_the_table_speaks_of_a_case_and_has_a_reason() -> None:
    assert idle_rows(CASES, TABLE) == []
    assert [row.pattern for row in TABLE if len(row.reason) < 5 or not row.status] == []


def test_every_row_of_the_table_says_more_than_a_status() -> None:
    assert [row.pattern for row in TABLE if not (row.headers or row.content)] == []


def recorded(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def test_a_difference_without_a_row_and_a_row_without_a_difference_fail() -> None:
    case = recorded("auth/basic-missing")
    wrong = Answer(403, case.expected.headers, "chunked", case.expected.body)
    row = Deviation("auth/basic-*", 403, "made up")
    assert problems(case, wrong, []) == ["status: expected 401, got 403"]
    assert problems(case, wrong, [row]) == []
    assert problems(case, case.expected, []) == []
    assert problems(case, case.expected, [row]) == [
        "the table says that this deviates (`auth/basic-*`), but the answer is n8n's: remove the row"
    ]
    assert problems(case, wrong, [Deviation("auth/*", 400, "made up")])[0] == "status: the table says 400, not 403"


def test_each_kind_of_difference_is_told() -> None:
    expected = recorded("mode/on-received").expected
    given = Answer(expected.status, [("Content-Type", "text/html"), ("X-Powered-By", "Express")], "chunked", b"x")
    kinds = [line.partition(":")[0] for line in differences(expected, given)]
    assert kinds == ["framing", "Content-Type", "ETag", "Vary", "Content-Security-Policy", "X-Powered-By", "body"]


def test_what_a_row_says_is_checked() -> None:
    case = recorded("route/odd-method-trace")
    row = Deviation(case.name, 405, "made up", (("Allow", "GET"),), {"code": 405})
    right = Answer(405, [("allow", "GET")], "content-length", b'{"code":405,"message":"any"}')
    assert problems(case, right, [row]) == []
    assert told(case, replace(right, headers=[("Allow", "PUT")]), row) == "Allow: the table says GET, not PUT"
    assert told(case, replace(right, headers=[]), row) == "Allow: the table says GET, not None"
    assert told(case, replace(right, body=b'{"code":0}'), row) == "body, code: the table says 405, not 0"
    for no_object in (b"", b"<p>", b"[405]"):
        assert told(case, replace(right, body=no_object), row) == "body, code: the table says 405, not None"


def told(case: Case, given: Answer, row: Deviation) -> str:
    return problems(case, given, [row])[0]


def test_rows_are_read_from_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    cell = '405 with `Allow: GET, PUT`, `{"code": 405}` and a `word`'
    page.write_text(f"| Cases | n8n | Ours | Reason |\n|---|---|---|---|\n| `a/*` | 500 | {cell} | Because. |\n")
    assert load_deviations(page) == [Deviation("a/*", 405, "Because.", (("Allow", "GET, PUT"),), {"code": 405})]
