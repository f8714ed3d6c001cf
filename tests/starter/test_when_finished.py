"""Callers who wait for the outcome, with the real workflow on a Temporal server of its own."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import JsonValue
from starlette.applications import Starlette

from contracts.dialects import DIALECTS
from starter.features import Features, make_features
from starter.intake.webhooks import WebhookFront
from starter.intake.when_finished import WhenFinished
from starter.metrics import StarterMetrics
from starter.wire.server import listening
from tests.starter.at_work import FORBIDDEN, HEIGHT, IMAGE, NO_CREDIT, SLOW, WIDTH, Studio, working
from tests.starter.front import API_KEY, Front, event, fresh_id, make_settings, running_starter
from tests.temporal_server import connected, running_server

FAILED = b'{"message":"Error in workflow"}'


def _route(path: str, **more: object) -> dict[str, object]:
    callback = {"path": "/callback", **(more.pop("callback", None) or {})}  # type: ignore[dict-item]
    return {
        "path": path,
        "dialect": "event",
        "odoo": "main",
        "services": ["main"],
        "respond": "when_finished",
        "callback": callback,
        **more,
    }


ROUTES = {
    "inline": _route("inline"),
    "url": _route("url", callback={"images": "url"}),
    "small": _route("small", callback={"inline_limit": 10}),
    "adapter": _route("adapter", dialect="adapter"),
    "endpoint": _route("endpoint", dialect="endpoint"),
    "hasty": _route("hasty", respond_deadline_s=0.3),
    "styled": _route("styled", response={"status": 201, "headers": {"X-Flow": "a"}}),
}


@dataclass(frozen=True, slots=True)
class Site:
    front: Front
    studio: Studio


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(running_server(tmp_path_factory.mktemp("temporal")))
        client = await connected(address)
        settings = make_settings(tmp_path_factory.mktemp("starter"), routes=ROUTES)
        front = await stack.enter_async_context(running_starter(settings, client))
        studio = Studio(settings.store.path)
        await stack.enter_async_context(working(client, studio))
        yield Site(front, studio)


@pytest.fixture
def slowly(site: Site) -> Studio:
    site.studio.go_on.clear()
    return site.studio


async def posted(front: Front, route: str, prompt: str, request_id: str | None = None) -> httpx.Response:
    return await front.post(route, event(requestId=request_id or fresh_id(), prompt=prompt))


def acknowledgement(body: dict[str, JsonValue]) -> object:
    return DIALECTS["event"].acknowledge(DIALECTS["event"].parse(body).reference)


async def test_the_answer_is_the_callback_body_and_the_callback_is_sent_all_the_same(site: Site) -> None:
    request_id = fresh_id()
    answer = await posted(site.front, "inline", "a fox", request_id)
    content = answer.json()
    assert (answer.status_code, content["requestId"], content["status"]) == (200, request_id, "completed")
    assert base64.b64decode(content["imageData"]) == IMAGE
    assert content["imageMetadata"] == {"format": "png", "size": len(IMAGE), "width": WIDTH, "height": HEIGHT}
    assert len(site.studio.told_of(request_id)) == 1


@pytest.mark.parametrize("route", ["url", "small"])
async def test_the_image_travels_as_a_signed_url_where_the_route_says_so(site: Site, route: str) -> None:
    content = (await posted(site.front, route, "a fox")).json()
    url = urlsplit(content["imageUrl"])
    image = await site.front.http.get(f"{url.path}?{url.query}")
    assert ("imageData" in content, image.status_code, image.content) == (False, 200, IMAGE)


async def test_the_body_is_plain_whatever_the_callback_s_envelope_is_and_names_the_run(site: Site) -> None:
    request_id = fresh_id()
    body: dict[str, JsonValue] = {
        "request_id": request_id,
        "prompt": "a fox",
        "user_id": 1,
        "influencer_profile_id": 2,
    }
    content = (await site.front.post("adapter", body)).json()
    described = await site.front.workflow("adapter", request_id).describe()
    assert (content["status"], content["n8n_execution_id"]) == ("success", described.run_id)
    assert base64.b64decode(content["images"][0]["image_data_b64"]) == IMAGE


async def test_our_own_secret_for_odoo_is_not_told_to_whoever_calls(site: Site) -> None:
    body: dict[str, JsonValue] = {
        "ai_generation_request_id": fresh_id(),
        "params": {"prompt": "a fox"},
        "odoo_callback_url": "https://odoo.example/callback",
    }
    content = (await site.front.post("endpoint", body)).json()
    assert content["result_payload"]["status"] == "success"
    assert "security_token" not in content


@pytest.mark.parametrize("prompt", [FORBIDDEN, NO_CREDIT, ""])
async def test_a_rejection_and_a_dead_letter_are_n8n_s_failed_workflow(site: Site, prompt: str) -> None:
    answer = await posted(site.front, "inline", prompt)
    assert (answer.status_code, answer.content) == (500, FAILED)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


async def test_a_dead_letter_asked_for_again_fails_until_it_is_redriven(site: Site) -> None:
    request_id = fresh_id()
    first = await posted(site.front, "inline", NO_CREDIT, request_id)
    again = await posted(site.front, "inline", NO_CREDIT, request_id)
    decision = {"by": "ann", "reason": "another prompt", "edits": {"prompt": "a fox"}}
    redriven = await site.front.http.post(f"/api/requests/{request_id}/redrive", json=decision, headers=API_KEY)
    last = await posted(site.front, "inline", NO_CREDIT, request_id)
    assert [answer.status_code for answer in (first, again, redriven, last)] == [500, 500, 200, 200]
    assert base64.b64decode(last.json()["imageData"]) == IMAGE


async def test_past_the_deadline_the_request_is_acknowledged_and_goes_on(site: Site, slowly: Studio) -> None:
    body = event(prompt=SLOW)
    early = await site.front.post("hasty", body)
    assert (early.status_code, early.json()) == (202, acknowledgement(body))
    slowly.go_on.set()
    await site.front.workflow("hasty", str(body["requestId"])).result()
    late = await site.front.post("hasty", body)
    assert (late.status_code, late.json()["status"]) == (200, "completed")


async def test_those_who_repeat_a_request_wait_for_the_same_outcome(site: Site, slowly: Studio) -> None:
    body = event(prompt=SLOW)
    waiting = [asyncio.create_task(site.front.post("inline", body)) for _ in range(10)]
    while await site.front.counted("deduplicated", "inline") < 9:
        await asyncio.sleep(0.02)
    slowly.go_on.set()
    answers = await asyncio.gather(*waiting)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len(slowly.told_of(str(body["requestId"]))) == 1


async def test_status_and_headers_of_the_route_stand_on_the_outcome_too(site: Site) -> None:
    answer = await posted(site.front, "styled", "a fox")
    assert (answer.status_code, answer.headers["x-flow"], answer.json()["status"]) == (201, "a", "completed")


async def test_a_cancelled_request_is_a_failed_one(site: Site, slowly: Studio) -> None:
    request_id = fresh_id()
    waiting = asyncio.create_task(posted(site.front, "inline", SLOW, request_id))
    while (await site.front.http.get(f"/api/requests/{request_id}", headers=API_KEY)).status_code != 200:
        await asyncio.sleep(0.02)
    await site.front.http.post(f"/api/requests/{request_id}/cancel", headers=API_KEY)
    slowly.go_on.set()
    answer = await waiting
    assert (answer.status_code, answer.content) == (500, FAILED)


@asynccontextmanager
async def room_for_one(site: Site) -> AsyncIterator[tuple[str, Features]]:
    """A starter that lets one caller wait."""
    settings, client, metrics = site.front.settings, site.front.client, StarterMetrics()
    waiting = WhenFinished(settings, client, site.front.blobs, waiters=1)
    features = replace(make_features(settings, client, site.front.blobs, metrics), when_finished=waiting)
    app = Starlette()
    app.router.default = WebhookFront(settings, client, metrics, features)
    async with listening(app, "127.0.0.1", 0) as url:
        yield url, features


async def asked(url: str, body: dict[str, JsonValue]) -> httpx.Response:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as http:
        return await http.post("/webhook/inline", json=body)


async def until_room_is(room: int, features: Features) -> None:
    async with asyncio.timeout(20):
        while features.when_finished.room != room:
            await asyncio.sleep(0.01)


async def test_who_finds_no_room_to_wait_is_acknowledged_at_once(site: Site, slowly: Studio) -> None:
    body = event(prompt=SLOW)
    async with room_for_one(site) as (url, features):
        waiting = asyncio.create_task(asked(url, body))
        await until_room_is(0, features)
        turned_away = await asked(url, body)
        slowly.go_on.set()
        answer = await waiting
    assert (turned_away.status_code, turned_away.json()) == (202, acknowledgement(body))
    assert (answer.status_code, answer.json()["status"]) == (200, "completed")


async def test_a_caller_who_leaves_stops_waiting_and_the_request_goes_on(site: Site, slowly: Studio) -> None:
    body = event(prompt=SLOW)
    content = httpx.Request("POST", "http://a", json=body).content
    lines = ["POST /webhook/inline HTTP/1.1", "Host: a", "Content-Type: application/json"]
    head = "\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""])
    async with room_for_one(site) as (url, features):
        _, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        writer.write(head.encode() + content)
        await until_room_is(0, features)
        writer.close()
        await writer.wait_closed()
        await until_room_is(1, features)
        slowly.go_on.set()
        answer = await asked(url, body)
    assert (answer.status_code, answer.json()["status"]) == (200, "completed")
    assert len(slowly.told_of(str(body["requestId"]))) == 1


async def test_who_waits_while_the_starter_stops_is_acknowledged(site: Site, slowly: Studio) -> None:
    body = event(prompt=SLOW)
    async with room_for_one(site) as (url, features):
        waiting = asyncio.create_task(asked(url, body))
        await until_room_is(0, features)
    answer = await waiting
    slowly.go_on.set()
    assert (answer.status_code, answer.json()) == (202, acknowledgement(body))
