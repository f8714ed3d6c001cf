"""Dialect `odoo_action`: bodies as a real Odoo 19 posted them, and records that complete them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from contracts.dialects.odoo_action import completed, lacking, parse_record
from contracts.requests import ImageRequest, RecordReference

RECORDED: list[dict[str, Any]] = json.loads(Path(__file__).with_name("odoo_webhooks.json").read_text(encoding="utf-8"))[
    "bodies"
]
CHOSEN, FROM_RULE, BARE = (one["body"] for one in RECORDED)
NAMES = {
    "prompt": "x_prompt",
    "negative_prompt": "x_not",
    "resolution": "x_size",
    "seed": "x_seed",
    "user_id": "x_user",
}


def test_recorded_bodies_name_their_record() -> None:
    records = [parse_record(body, NAMES, "acme").intake.record for body in (CHOSEN, FROM_RULE, BARE)]
    assert records == [
        RecordReference(model="res.partner", record_id=11, action="Send to AI(#163)"),
        RecordReference(model="res.partner", record_id=15, action="Notify AI(#164)"),
        RecordReference(model="res.partner", record_id=15, action="Notify AI(#164)"),
    ]


@pytest.mark.parametrize("body", [CHOSEN, FROM_RULE, BARE])
def test_recorded_bodies_are_valid_whatever_they_lack(body: dict[str, JsonValue]) -> None:
    intake = parse_record(body, NAMES, "acme").intake
    assert (intake.problems, intake.request) == ((), ImageRequest(prompt=""))


def test_recorded_fields_may_mean_something() -> None:
    names = {
        "prompt": "name",
        "negative_prompt": "email",
        "user_id": "company_id",
        "model": "image_128",
        "seed": "color",
    }
    request = parse_record(CHOSEN, names, "acme").intake.request
    # Empty fields are false, an empty number 0, and a binary field Python's way to write bytes.
    assert request == ImageRequest(prompt="\u00c9mile", model="iVBORw0KGgo...ErkJggg==")


@pytest.mark.parametrize(
    ("given", "meant"),
    [("b'aGVsbG8='", "aGVsbG8="), ("b'aGVs\\nbG8='", "aGVsbG8="), ("b'a fox'", "b'a fox'"), ("it's b'x'", "it's b'x'")],
)
def test_bytes_are_taken_out_of_their_quotes(given: str, meant: str) -> None:
    request = parse_record({**BARE, "x_prompt": given}, NAMES, "acme").intake.request
    assert request == ImageRequest(prompt=meant)


def test_the_id_says_database_model_record_action_and_date() -> None:
    parsed = parse_record(FROM_RULE, NAMES, "acme")
    expected = "acme:res.partner:15:2026-11-23 04:01:41.554766:Notify AI(#164)"
    assert (parsed.intake.reference.request_id, parsed.is_dated) == (expected, True)


def test_each_part_of_the_id_tells_requests_apart() -> None:
    changes: list[dict[str, JsonValue]] = [
        {},
        {"_model": "a.b"},
        {"_id": 16},
        {"_action": "Other(#1)"},
        {"write_date": "2026-11-23 04:01:42"},
    ]
    ids = {parse_record({**FROM_RULE, **change}, NAMES, "acme").intake.reference.request_id for change in changes}
    ids.add(parse_record(FROM_RULE, NAMES, "other").intake.reference.request_id)
    assert len(ids) == 6


@pytest.mark.parametrize("date", [None, False, ""])
def test_without_a_date_the_content_is_in_the_id(date: JsonValue) -> None:
    bodies: list[dict[str, JsonValue]] = [
        {"x_prompt": "a"},
        {"x_prompt": "a"},
        {"x_prompt": "b"},
        {"x_prompt": "a", "unused": 1},
    ]
    parsed = [parse_record({**BARE, "write_date": date, **body}, NAMES, "acme") for body in bodies]
    first, again, other, ignored = parsed
    assert not first.is_dated
    assert first == again == ignored
    assert first.intake.reference != other.intake.reference


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"_id": -3}, "_id must be the id of a record, which is above 0"),
        ({"_id": 0}, "_id is required and missing"),
        ({"_id": "eleven"}, '_id must be an integer, not the text "eleven"'),
        ({"_model": False}, "_model is required and missing"),
        ({"_model": "res.partner/unlink?"}, "_model must be the technical name of a model, as res.partner"),
        ({"_model": ".."}, "_model must be the technical name of a model, as res.partner"),
        ({"x_size": "big"}, 'x_size must be a size as "1024x1024", not the text "big"'),
        ({"x_prompt": 5}, "x_prompt must be a string, not an integer"),
    ],
)
def test_what_is_wrong_is_named_as_odoo_calls_it(change: dict[str, JsonValue], problem: str) -> None:
    intake = parse_record({**BARE, **change}, NAMES, "acme").intake
    assert (intake.request, intake.problems) == (None, (problem,))
    assert (intake.record is None) == any(name.startswith("_") for name in change)


def test_only_what_the_body_lacks_is_read() -> None:
    request = ImageRequest(prompt="a fox", width=64, height=48)
    assert lacking(request, NAMES) == {"negative_prompt": "x_not", "seed": "x_seed", "user_id": "x_user"}
    assert lacking(None, {**NAMES, "service": "x_service"}) == NAMES


def test_the_record_completes_the_request_and_the_body_wins() -> None:
    request = ImageRequest(prompt="carried", user_id="7", service_hint="FLUX")
    record: dict[str, JsonValue] = {"id": 1, "x_prompt": "old", "x_not": "text", "x_size": "64x48", "x_seed": 9}
    read = completed(request, record, NAMES)
    expected = {"prompt": "carried", "user_id": "7", "service_hint": "FLUX", "negative_prompt": "text"}
    assert read.problem is None
    assert read.request == ImageRequest.model_validate({**expected, "width": 64, "height": 48, "seed": 9})


@pytest.mark.parametrize("empty", [False, "", "  ", None])
def test_a_record_without_a_prompt_is_a_problem(empty: JsonValue) -> None:
    assert completed(ImageRequest(prompt=""), {"x_prompt": empty}, NAMES).problem == "x_prompt is required and missing"


def test_a_wrong_field_of_the_record_is_a_problem() -> None:
    read = completed(ImageRequest(prompt="a fox"), {"x_size": "huge", "x_user": False}, NAMES)
    assert read.problem == 'x_size must be a size as "1024x1024", not the text "huge"'
    assert read.request is None
