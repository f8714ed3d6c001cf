"""Odoo's own webhooks: their token in the URL, their missing id, and that repeated posts start one workflow."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import JsonValue
from structlog.testing import capture_logs
from temporalio.client import Client

from contracts.dialects.odoo_action import parse_record
from contracts.requests import RecordReference
from operations import sending
from starter.intake.repeats import UndatedPost, is_repeat, later_id, start_unless_repeated
from starter.intake.starting import Started, StartResult
from starter.intake.submission import Submission, submission
from tests.starter.front import API_KEY, Front, event, make_settings, running_starter, started_input

OLD, NEW = "made-up-old-token-0123456789", "made-up-new-token-9876543210"
WRONG = "made-up-wrong-token-0123456789"
NAMES = {"prompt": "x_prompt", "resolution": "x_size"}
RECORD = {"fields": NAMES, "write_back": {"chatter": True}, "models": ["res.partner", "product.template"]}
WINDOW_S = 60.0
_ids: Iterator[int] = itertools.count(1000)


@pytest.fixture(scope="module")
async def stock(tmp_path_factory: pytest.TempPathFactory, temporal_client: Client) -> AsyncIterator[Front]:
    directory = tmp_path_factory.mktemp("starter")
    for name, token in {"old": OLD, "new": NEW}.items():
        (directory / name).write_text(token, encoding="utf-8")
    both = [f"file:{directory / 'old'}", f"file:{directory / 'new'}"]
    routes = {
        "stock": _route("odoo/stock", both, RECORD),
        "hasty": _route("odoo/hasty", both, {**RECORD, "repeat_window_s": 0.2}),
        "lost": _route("odoo/lost", [f"file:{directory / 'lost'}"], RECORD),
        "event": {**_route("plain/event", both), "dialect": "event", "odoo": "main", "callback": {"path": "/done"}},
        "by-name": {
            **_route("items/:kind", both),
            "webhook_id": "w-1",
            "dialect": "event",
            "odoo": "main",
            "callback": {"path": "/done"},
        },
    }
    async with running_starter(make_settings(directory, routes=routes), temporal_client) as running:
        yield running


def _route(path: str, secret: list[str], record: dict[str, Any] | None = None) -> dict[str, Any]:
    auth = {"kind": "url_token", "secret": secret}
    fields = {"path": path, "dialect": "odoo_action", "odoo": "stock", "services": ["main"], "auth": auth}
    return {**fields, **({"record": record} if record else {})}


def posted(**fields: JsonValue) -> dict[str, JsonValue]:
    """A post about a record that no other test uses."""
    return {"_action": "Draw(#163)", "_id": next(_ids), "_model": "res.partner", **fields}


async def counts(front: Front, route: str) -> tuple[int, int]:
    return await front.counted("accepted", route), await front.counted("deduplicated", route)


# --- the token ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["odoo/stock/{}", "odoo/stock/{}/", "odoo/stock?token={}"])
@pytest.mark.parametrize("token", [OLD, NEW])
async def test_either_token_opens_the_door_in_the_path_or_in_the_query(url: str, token: str, stock: Front) -> None:
    answer = await stock.post(url.format(token), posted(x_prompt="a red fox"))
    assert (answer.status_code, answer.json()) == (200, {"message": "Workflow was started"})


@pytest.mark.parametrize(
    "url",
    [
        "odoo/stock",
        "odoo/stock?token=",
        f"odoo/stock/{WRONG}",
        f"odoo/stock?token={WRONG}",
        f"odoo/stock?token={NEW}&token={NEW}",
        f"odoo/stock/{WRONG}?token={NEW}",
        f"odoo/stock?other={NEW}",
        f"odoo/stock/{NEW[:-1]}",
        f"odoo/stock/{NEW}%00",
    ],
)
async def test_without_a_token_the_door_stays_shut(url: str, stock: Front) -> None:
    before = await counts(stock, "stock")
    with capture_logs() as lines:
        answer = await stock.post(url, posted(x_prompt="a red fox"))
    assert answer.status_code == 403
    assert await counts(stock, "stock") == before
    assert not any(token in f"{answer.text} {lines}" for token in (WRONG, OLD, NEW))


async def test_a_path_behind_the_token_is_no_webhook(stock: Front) -> None:
    assert (await stock.post(f"odoo/stock/{NEW}/more", posted())).status_code == 404


async def test_a_route_without_its_token_does_not_answer_and_does_not_repeat_what_was_sent(stock: Front) -> None:
    with capture_logs() as lines:
        answer = await stock.post(f"odoo/lost/{WRONG}", posted())
    assert answer.status_code == 404
    assert WRONG not in f"{answer.text} {lines}"


@pytest.mark.parametrize("url", [f"plain/event/{NEW}", f"plain/event?token={NEW}", f"w-1/items/fox/{NEW}"])
async def test_every_dialect_may_be_opened_by_a_token(url: str, stock: Front) -> None:
    assert (await stock.post(url, event())).status_code == 200
    assert (await stock.post(url.replace(NEW, WRONG), event())).status_code == 403


async def test_the_token_is_nowhere_but_in_the_request(stock: Front) -> None:
    body = posted(x_prompt="a red fox", write_date="2026-11-23 04:01:41.5")
    with capture_logs() as lines:
        await stock.post(f"odoo/stock/{NEW}", body)
    request_id = parse_record(body, NAMES, "acme-stock").intake.reference.request_id
    handle = stock.workflow("stock", request_id)
    described = await handle.describe()
    shown = f"{lines} {described.raw_description} {(await handle.fetch_history()).to_json()}"
    assert "acme-stock:res.partner" in shown
    assert NEW not in f"{shown} {(await stock.http.get('/metrics')).text}"
    memo = await described.memo()
    assert NEW not in f"{memo}"


async def test_a_test_url_takes_the_token_and_shows_none(stock: Front) -> None:
    opened = await stock.http.post("/api/listeners", json={"path": "odoo/stock"}, headers=API_KEY)
    answer = await stock.http.post(f"/webhook-test/odoo/stock/{NEW}", json=posted(x_prompt="a red fox"))
    assert answer.status_code == 200
    looked = await stock.http.get(f"/api/listeners/{opened.json()['id']}", headers=API_KEY)
    assert looked.json()["call"]["fields"] == {"prompt": "a red fox"}
    assert NEW not in looked.text


async def test_our_own_send_command_knows_the_token(stock: Front) -> None:
    route = stock.settings.routes["event"]
    acknowledged = await sending.post(f"{stock.url}/webhook/{route.path}", route, event())
    assert acknowledged.content is not None


def test_our_own_send_command_says_that_it_has_no_record(stock: Front) -> None:
    with pytest.raises(sending.SendError, match="change that record in Odoo"):
        sending.way_back(stock.settings, stock.settings.routes["stock"])


# --- what is started ----------------------------------------------------------------------------------------------


async def test_the_workflow_gets_the_record_and_what_the_body_carried(stock: Front) -> None:
    body = posted(x_prompt=False, x_size="64x48", write_date="2026-11-23 04:01:41.5", email=False)
    await stock.post(f"odoo/stock/{NEW}", body)
    order = await started_input(
        stock.workflow("stock", f"acme-stock:res.partner:{body['_id']}:2026-11-23 04:01:41.5:Draw(#163)")
    )
    assert order.record == RecordReference(model="res.partner", record_id=int(str(body["_id"])), action="Draw(#163)")
    assert order.request is not None
    assert (order.request.prompt, order.request.width, order.problem) == ("", 64, None)
    assert (order.odoo, order.route, order.reference.dialect) == ("stock", "stock", "odoo_action")


async def test_a_post_about_another_model_is_rejected_and_names_no_record(stock: Front) -> None:
    body = posted(_model="res.users", write_date="2026-11-23 04:01:41.5")
    assert (await stock.post(f"odoo/stock/{NEW}", body)).status_code == 200
    request_id = parse_record(body, NAMES, "acme-stock").intake.reference.request_id
    order = await started_input(stock.workflow("stock", request_id))
    assert (order.record, order.request) == (None, None)
    assert order.problem == "_model must be one of this webhook's: res.partner, product.template"


async def test_eleven_equal_posts_with_a_date_are_one_request(stock: Front) -> None:
    accepted, repeated = await counts(stock, "stock")
    body = posted(x_prompt="a red fox", write_date="2026-11-23 04:01:41.554766")
    answers = [await stock.post(f"odoo/stock/{NEW}", body) for _ in range(11)]
    assert {answer.status_code for answer in answers} == {200}
    assert await counts(stock, "stock") == (accepted + 1, repeated + 10)


async def test_a_later_date_is_another_request_and_another_content_a_conflict(stock: Front) -> None:
    body = posted(x_prompt="a red fox", write_date="2026-11-23 04:01:41.554766")
    changes = [{}, {"write_date": "2026-11-23 04:01:42.1"}, {"x_prompt": "a blue fox"}]
    answers = [await stock.post(f"odoo/stock/{NEW}", {**body, **change}) for change in changes]
    assert [answer.status_code for answer in answers] == [200, 200, 409]


async def test_forty_equal_posts_at_once_without_a_date_are_one_request(stock: Front) -> None:
    accepted, repeated = await counts(stock, "stock")
    body = posted()
    answers = await asyncio.gather(*(stock.post(f"odoo/stock/{NEW}", body) for _ in range(40)))
    assert {answer.status_code for answer in answers} == {200}
    assert await counts(stock, "stock") == (accepted + 1, repeated + 39)


async def test_without_a_date_another_content_is_another_request(stock: Front) -> None:
    accepted, repeated = await counts(stock, "stock")
    body = posted(x_prompt="a red fox")
    for changed in (body, {**body, "x_prompt": "a blue fox"}, body):
        assert (await stock.post(f"odoo/stock/{NEW}", changed)).status_code == 200
    assert await counts(stock, "stock") == (accepted + 2, repeated + 1)


async def test_after_the_window_the_same_post_is_a_new_request(stock: Front) -> None:
    accepted, _ = await counts(stock, "hasty")
    body = posted(x_prompt="a red fox")
    for _ in range(4):
        assert (await stock.post(f"odoo/hasty/{NEW}", body)).status_code == 200
        await asyncio.sleep(0.3)
    assert (await counts(stock, "hasty"))[0] == accepted + 4


# --- the window ---------------------------------------------------------------------------------------------------

TICK = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("began_s", "came_s", "is_one"),
    [(-0.1, 0.1, True), (-59.9, 0.0, True), (0.0, 60.0, True), (0.0, 60.1, False), (-60.1, 0.0, False), (5, 4, True)],
)
def test_the_window_begins_with_the_request_and_not_with_the_minute(
    began_s: float, came_s: float, is_one: bool
) -> None:
    began, came = (TICK + timedelta(seconds=seconds) for seconds in (began_s, came_s))
    assert is_repeat(began, came, WINDOW_S) is is_one


def test_the_later_id_says_when_the_one_before_began() -> None:
    assert later_id("a", TICK) == f"a~{int(TICK.timestamp()) * 1000}"
    assert later_id("a", TICK) != later_id("a", TICK + timedelta(milliseconds=1))


async def wave(front: Front, body: dict[str, JsonValue], came_at: datetime, size: int, window_s: float) -> list[str]:
    """The workflow ids that so many posts led to, which all came at that moment; their starts contend."""
    intake = parse_record(body, NAMES, "acme-stock").intake

    def prepare(request_id: str) -> Submission:
        reference = intake.reference.model_copy(update={"request_id": request_id})
        return submission(front.settings, "stock", intake.model_copy(update={"reference": reference}))

    post = UndatedPost(intake.reference.request_id, came_at, window_s)
    starts = [start_unless_repeated(front.client, post, prepare, 20.0) for _ in range(size)]
    ended: list[tuple[Submission, Started]] = await asyncio.gather(*starts)
    assert sum(started.result is StartResult.NEW for _, started in ended) <= 1
    return [prepared.workflow_id for prepared, _ in ended]


async def test_posts_at_once_start_one_workflow_however_many_there_were_before(stock: Front) -> None:
    body, found = posted(), list[str]()
    for _ in range(4):
        # All of a wave come before the first of them is started, and after the window of the wave before.
        ids = await wave(stock, body, datetime.now(UTC), 12, 0.05)
        assert len(set(ids)) == 1
        found.append(ids[0])
        await asyncio.sleep(0.1)
    assert len(set(found)) == 4
    assert await wave(stock, body, datetime.now(UTC), 3, 3600.0) == found[:1] * 3
