"""Outcomes that are written to a record by RPC: to every target, once, however often an attempt is repeated."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from activities import Activities
from activities.records import Records
from contracts.callbacks import UNCLEAR_WINDOW_S
from contracts.errors import FailureClass
from contracts.requests import (
    Cost,
    DeliverInput,
    DeliveryReceipt,
    ImageOutcome,
    ImageRequest,
    ReadRecordInput,
    RecordRead,
    RecordReference,
    RequestReference,
)
from operations.local.serving import listening
from runtime.blobs import LocalBlobStore, image_key
from runtime.settings import Settings
from tests.activities.doubles import OTHER_PICTURE, PICTURE
from tests.activities.odoo_double import OdooDouble
from tests.activities.post import FAILED, FAILURE, IMAGES, POLICY, SUCCESS, letter
from tests.activities.series import Series, delay_s, failure_of
from tests.services.calls import TRACEPARENT
from tests.temporal_server import unconnected

KEY = "made-up-odoo-key-0123456789"
FIELDS = {"prompt": "x_prompt", "negative_prompt": "x_not", "resolution": "x_size"}
TARGETS = {
    "image": "image_1920",
    "url": "x_url",
    "status": "x_status",
    "error": "x_error",
    "attachment": True,
    "chatter": True,
}
REFERENCE = RequestReference(request_id="acme:res.partner:1:x:Draw(#1)", dialect="odoo_action")


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclass(frozen=True)
class Stock:
    """A worker's activities, and the Odoo whose records they read and write."""

    odoo: OdooDouble
    activities: Activities
    partner: int
    directory: Path

    @property
    def record(self) -> RecordReference:
        return RecordReference(model="res.partner", record_id=self.partner, action="Draw(#1)")

    @property
    def row(self) -> dict[str, Any]:
        return self.odoo.tables["res.partner"][self.partner]

    def letter(self, outcome: ImageOutcome = SUCCESS, number: int = 1, **changes: Any) -> DeliverInput:
        fields = {"reference": REFERENCE, "route": "stock", "record": self.record, "outcome": outcome, **changes}
        return letter("odoo_action", number, **fields)

    def delivering(self, call: DeliverInput) -> Series[DeliveryReceipt]:
        return Series(lambda: self.activities.delivery.deliver_callback(call))

    def reading(self, request: ImageRequest | None, **changes: Any) -> Series[RecordRead]:
        fields = {"reference": REFERENCE, "route": "stock", "odoo": "main", "record": self.record, **changes}
        call = ReadRecordInput(request=request, policy=POLICY, traceparent=TRACEPARENT, **fields)
        return Series(lambda: self.activities.records.read_record(call))


def make_settings(directory: Path, odoo: str, targets: dict[str, Any]) -> Settings:
    for name, value in {"key": KEY, "signing": "made-up-signing-0123456789"}.items():
        (directory / name).write_text(value, encoding="utf-8")
    tree = {
        "starter": {"public_base_url": "https://images.example"},
        "store": {"path": directory / "store", "signing_key": f"file:{directory}/signing"},
        "odoos": {
            "main": {
                "database": "acme",
                "base_url": odoo,
                "rpc": {"kind": "json2", "secret": f"file:{directory}/key"},
            }
        },
        "services": {"flux": {"kind": "flux_lora", "base_url": "http://127.0.0.1:9"}},
        "routes": {
            "stock": {
                "path": "stock",
                "dialect": "odoo_action",
                "odoo": "main",
                "services": ["flux"],
                "record": {"fields": FIELDS, "write_back": targets},
            },
            "event": {
                "path": "event",
                "dialect": "event",
                "odoo": "main",
                "services": ["flux"],
                "callback": {"path": "/done"},
            },
        },
    }
    return Settings.model_validate(tree)


@pytest.fixture(params=[TARGETS])
async def stock(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stock]:
    odoo = OdooDouble()
    async with listening(odoo.app) as url:
        blobs = LocalBlobStore(tmp_path / "store")
        for data in (PICTURE, OTHER_PICTURE):
            await Records(blobs).put_image(data)
        activities = Activities(make_settings(tmp_path, url, request.param), blobs, await unconnected())
        try:
            yield Stock(odoo, activities, odoo.add("res.partner", image_1920="before"), tmp_path)
        finally:
            await activities.aclose()


def only(**targets: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("stock", [targets], indirect=True)


# --- what is written ----------------------------------------------------------------------------------------------


async def test_a_success_reaches_every_target(stock: Stock) -> None:
    assert await stock.delivering(stock.letter()).attempt() == DeliveryReceipt(http_status=200)
    row = {name: value for name, value in stock.row.items() if name != "id"}
    url = row.pop("x_url")
    assert row == {"image_1920": encoded(PICTURE), "x_status": "completed", "x_error": False}
    assert url.startswith(f"https://images.example/images/{IMAGES.images[0].sha256}")
    attachments = stock.odoo.rows("ir.attachment")
    assert [one["datas"] for one in attachments] == [encoded(PICTURE), encoded(OTHER_PICTURE)]
    assert {(one["res_model"], one["res_id"]) for one in attachments} == {("res.partner", stock.partner)}
    (message,) = stock.odoo.rows("mail.message")
    assert message["attachment_ids"] == [one["id"] for one in attachments]
    assert message["body"] == f"Image made by flux, flux-1, seed 7. Request {REFERENCE.request_id}."


async def test_the_note_says_what_it_cost_and_what_could_not_be_had(stock: Stock) -> None:
    cost = Cost(amount=Decimal("0.0400"), currency="USD")
    generated = IMAGES.model_copy(update={"cost": cost, "warnings": ("steps is not known here and was left out.",)})
    await stock.delivering(stock.letter(ImageOutcome(generated=generated))).attempt()
    (message,) = stock.odoo.rows("mail.message")
    expected = "Image made by flux, flux-1, seed 7, 0.0400 USD. steps is not known here and was left out. Request "
    assert message["body"].startswith(expected)


async def test_a_failure_is_told_and_leaves_the_image_alone(stock: Stock) -> None:
    await stock.delivering(stock.letter(FAILURE)).attempt()
    expected = f"AI_QUOTA_EXHAUSTED: {FAILED.told}"
    assert (stock.row["image_1920"], stock.row["x_status"], stock.row["x_error"]) == ("before", "failed", expected)
    assert stock.odoo.rows("ir.attachment") == []
    (message,) = stock.odoo.rows("mail.message")
    assert message["body"].startswith(f"No image: {FAILED.told}")


@only(status="x_status")
async def test_what_is_not_configured_is_not_touched(stock: Stock) -> None:
    await stock.delivering(stock.letter()).attempt()
    assert stock.row == {"id": stock.partner, "image_1920": "before", "x_status": "completed"}
    assert stock.odoo.rows("ir.attachment") == stock.odoo.rows("mail.message") == []


@only(attachment=True)
async def test_attachments_alone_write_no_field(stock: Stock) -> None:
    await stock.delivering(stock.letter()).attempt()
    assert len(stock.odoo.rows("ir.attachment")) == 2
    assert "write" not in {method for _, method, _ in stock.odoo.calls}


# --- once ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize("call", range(8))
async def test_an_attempt_that_breaks_anywhere_is_repeated_without_a_trace(call: int, fault: str, stock: Stock) -> None:
    stock.odoo.faults = {call: fault}
    series = stock.delivering(stock.letter())
    error = await series.failing()
    assert failure_of(error).failure is FailureClass.CALLBACK_UNDELIVERABLE
    assert delay_s(error) > 0
    await series.attempt()
    assert (stock.row["image_1920"], stock.row["x_status"]) == (encoded(PICTURE), "completed")
    assert len(stock.odoo.rows("ir.attachment")) == 2
    assert len(stock.odoo.rows("mail.message")) == 1


async def test_a_whole_write_back_takes_no_more_calls_than_these_tests_break(stock: Stock) -> None:
    await stock.delivering(stock.letter()).attempt()
    assert len(stock.odoo.calls) == 8


async def test_an_outcome_that_changes_is_told_again(stock: Stock) -> None:
    await stock.delivering(stock.letter(FAILURE, 1)).attempt()
    await stock.delivering(stock.letter(SUCCESS, 2)).attempt()
    assert (stock.row["x_status"], stock.row["x_error"]) == ("completed", False)
    assert len(stock.odoo.rows("mail.message")) == 2


async def test_the_same_image_is_attached_once_to_a_record_and_again_to_another(stock: Stock) -> None:
    await stock.delivering(stock.letter(number=1)).attempt()
    await stock.delivering(stock.letter(number=2)).attempt()
    assert len(stock.odoo.rows("ir.attachment")) == 2
    other = stock.odoo.add("res.partner")
    record = RecordReference(model="res.partner", record_id=other, action="Draw(#1)")
    await stock.delivering(stock.letter(record=record)).attempt()
    assert len(stock.odoo.rows("ir.attachment")) == 4


# --- what goes wrong ----------------------------------------------------------------------------------------------


async def test_a_record_that_is_missing_gets_fifteen_minutes_and_nothing_is_made_for_it(stock: Stock) -> None:
    record = RecordReference(model="res.partner", record_id=2**30, action="Draw(#1)")
    series = stock.delivering(stock.letter(record=record))
    first = await series.failing()
    assert failure_of(first).failure is FailureClass.CALLBACK_UNDELIVERABLE
    begin = series.now
    while not (error := await series.failing()).non_retryable:
        assert (series.now - begin).total_seconds() < UNCLEAR_WINDOW_S + POLICY.maximum_s
    assert "does not exist" in failure_of(error).message
    assert {method for _, method, _ in stock.odoo.calls} == {"read"}


async def test_a_record_that_comes_late_is_written_to(stock: Stock) -> None:
    row = stock.odoo.tables["res.partner"].pop(stock.partner)
    series = stock.delivering(stock.letter())
    await series.failing()
    stock.odoo.tables["res.partner"][stock.partner] = row
    await series.attempt()
    assert stock.row["x_status"] == "completed"


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (403, "odoo.exceptions.AccessError"),
        (422, "odoo.exceptions.ValidationError"),
        (401, "werkzeug.exceptions.Unauthorized"),
        (500, "builtins.ValueError"),
        (404, "werkzeug.exceptions.NotFound"),
    ],
)
async def test_a_refusal_is_final_and_brings_neither_key_nor_traceback_along(
    status: int, name: str, stock: Stock
) -> None:
    debug = f"Traceback (most recent call last): made-up secret line {KEY}"
    stock.odoo.refusal = (status, {"name": name, "message": f"not with {KEY}", "debug": debug}, {})
    error = await stock.delivering(stock.letter()).failing()
    failure = failure_of(error)
    assert (error.non_retryable, failure.failure) == (True, FailureClass.CALLBACK_REFUSED)
    assert failure.http_status == status
    assert name in failure.message
    assert not any(word in f"{error} {error.details}" for word in (KEY, "Traceback", "secret line"))


@pytest.mark.parametrize(
    ("status", "name"),
    [(503, "werkzeug.exceptions.ServiceUnavailable"), (500, "psycopg2.errors.SerializationFailure"), (500, "Other")],
)
async def test_an_odoo_that_is_not_well_is_tried_again_at_its_time(status: int, name: str, stock: Stock) -> None:
    stock.odoo.refusal = (status, {"name": name, "message": "later"}, {"Retry-After": "77"})
    error = await stock.delivering(stock.letter()).failing()
    assert failure_of(error).failure is FailureClass.CALLBACK_UNDELIVERABLE
    assert delay_s(error) >= 77


async def test_a_missing_key_is_named_by_its_reference(stock: Stock) -> None:
    (stock.directory / "key").unlink()
    error = await stock.delivering(stock.letter()).failing()
    assert (error.non_retryable, stock.odoo.calls) == (True, [])
    assert f"file:{stock.directory}/key" in failure_of(error).message


async def test_a_rotated_key_is_used_at_once(stock: Stock) -> None:
    await stock.delivering(stock.letter()).attempt()
    (stock.directory / "key").write_text("made-up-rotated-0123456789", encoding="utf-8")
    await stock.delivering(stock.letter(number=2)).attempt()


@pytest.mark.parametrize("route", ["event", "gone"])
async def test_a_route_that_lost_its_record_section_is_named(route: str, stock: Stock) -> None:
    error = await stock.delivering(stock.letter(route=route)).failing()
    assert error.non_retryable
    assert f"routes.{route}.record" in failure_of(error).message


async def test_an_image_that_the_store_lost_is_not_written_as_nothing(stock: Stock) -> None:
    await LocalBlobStore(stock.directory / "store").delete(image_key(IMAGES.images[0].sha256))
    error = await stock.delivering(stock.letter()).failing()
    assert failure_of(error).failure is FailureClass.INTERNAL
    assert stock.row["image_1920"] == "before"


async def test_an_outcome_without_a_record_is_told_to_nobody(stock: Stock) -> None:
    with capture_logs() as lines:
        receipt = await stock.delivering(stock.letter(FAILURE, record=None)).attempt()
    assert (receipt, stock.odoo.calls) == (DeliveryReceipt(http_status=204), [])
    assert "outcome_belongs_to_no_record" in {line["event"] for line in lines}


# --- reading ------------------------------------------------------------------------------------------------------


async def test_only_what_the_body_lacked_is_read(stock: Stock) -> None:
    stock.row.update(x_prompt="a red fox", x_not=False, x_size="64x48")
    read = await stock.reading(ImageRequest(prompt="", width=32, height=32)).attempt()
    assert read == RecordRead(request=ImageRequest(prompt="a red fox", width=32, height=32))
    ((_, _, asked),) = stock.odoo.calls
    assert asked["fields"] == ["x_not", "x_prompt"]


async def test_a_body_that_lacked_nothing_is_not_read(stock: Stock) -> None:
    request = ImageRequest(prompt="a red fox", negative_prompt="text", width=32, height=32)
    assert await stock.reading(request).attempt() == RecordRead(request=request)
    assert stock.odoo.calls == []


async def test_a_record_that_says_it_neither_is_a_problem(stock: Stock) -> None:
    assert await stock.reading(None).attempt() == RecordRead(problem="x_prompt is required and missing")


async def test_a_record_that_is_not_committed_yet_is_looked_for_again(stock: Stock) -> None:
    row = stock.odoo.tables["res.partner"].pop(stock.partner)
    series = stock.reading(ImageRequest(prompt=""))
    error = await series.failing()
    assert failure_of(error).failure is FailureClass.CALLBACK_UNDELIVERABLE
    stock.odoo.tables["res.partner"][stock.partner] = {**row, "x_prompt": "a red fox"}
    assert (await series.attempt()).request == ImageRequest(prompt="a red fox")
