from __future__ import annotations

import pytest
from pydantic import JsonValue

from contracts.dialects.outcomes import ToldImage, ToldOutcome, read_outcome
from tests.local.spoken import ALL, TEXT, Spoken, each_dialect


@each_dialect
def test_a_success_is_read_with_its_image(spoken: Spoken) -> None:
    told = read_outcome(spoken.name, spoken.body(spoken.success))
    assert told == ToldOutcome("r-1", completed=True, images=(ToldImage(base64=TEXT),))


@each_dialect
def test_a_failure_is_read_with_its_code(spoken: Spoken) -> None:
    told = read_outcome(spoken.name, spoken.body(spoken.failure))
    assert told == ToldOutcome("r-1", completed=False, error_code="CONTENT_REJECTED")


@pytest.mark.parametrize("spoken", [spoken for spoken in ALL if spoken.jsonrpc], ids=lambda spoken: spoken.name)
def test_the_envelope_may_be_missing(spoken: Spoken) -> None:
    told = read_outcome(spoken.name, spoken.success)
    assert told is not None
    assert told.completed


def test_an_image_by_url_stays_a_url() -> None:
    body: JsonValue = {"request_id": "r-1", "status": "completed", "image_url": "https://cdn.example/a.png"}
    told = read_outcome("request", body)
    assert told is not None
    assert told.images == (ToldImage(url="https://cdn.example/a.png"),)


@each_dialect
@pytest.mark.parametrize("body", [None, [], {}, {"jsonrpc": "2.0"}, {"status": "completed"}, {"requestId": 1}, "text"])
def test_what_is_no_callback_is_not_read(spoken: Spoken, body: JsonValue) -> None:
    assert read_outcome(spoken.name, body) is None
