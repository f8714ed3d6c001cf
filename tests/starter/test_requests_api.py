from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import JsonValue
from temporalio.client import Client

from tests.starter.front import API_KEY, Front, event, make_settings, running_starter


async def posted(front: Front, path: str = "dialect/event", **changes: JsonValue) -> str:
    body = event(**changes)
    assert (await front.post(path, body)).status_code == 200
    return str(body["requestId"])


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/redrive"), ("POST", "/cancel")])
async def test_only_who_has_the_key_may_ask(front: Front, method: str, path: str) -> None:
    request_id = await posted(front)
    url = f"/api/requests/{request_id}{path}"
    answers = [await front.http.request(method, url, headers=given) for given in ({}, {"X-Api-Key": "wrong"})]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].json() == {"code": 403, "message": "Authorization data is wrong!"}


async def test_without_credentials_in_the_settings_the_interface_is_off(
    tmp_path: Path, temporal_client: Client
) -> None:
    async with running_starter(make_settings(tmp_path, api={}), temporal_client) as closed:
        request_id = await posted(closed)
        assert (await closed.http.get(f"/api/requests/{request_id}", headers=API_KEY)).status_code == 404


async def test_the_status_needs_no_worker(front: Front) -> None:
    request_id = await posted(front)
    answer = await front.http.get(f"/api/requests/{request_id}", headers=API_KEY)
    found = await front.workflow("event", request_id).describe()
    assert answer.status_code == 200
    assert answer.json() == {
        "request_id": request_id,
        "route": "event",
        "workflow_id": f"event/{request_id}",
        "run_id": found.run_id,
        "status": "RUNNING",
        "stage": "generating",
        "service": "main",
        "started": found.start_time.isoformat().replace("+00:00", "Z"),
    }


@pytest.mark.parametrize("suffix", ["/a/b", "%2F", " é?", "/redrive", "x" * 1200, "\t"])
async def test_an_id_may_hold_anything(front: Front, suffix: str) -> None:
    body = event()
    body["requestId"] = f"{body['requestId']}{suffix}"
    assert (await front.post("dialect/event", body)).status_code == 200
    answer = await front.http.get(f"/api/requests/{quote(str(body['requestId']), safe='')}", headers=API_KEY)
    assert (answer.status_code, answer.json().get("request_id")) == (200, body["requestId"])


async def test_an_unknown_id_or_route_is_not_found(front: Front) -> None:
    request_id = await posted(front)
    answers = [
        await front.http.get("/api/requests/no-such-id", headers=API_KEY),
        await front.http.get(f"/api/requests/{request_id}?route=adapter", headers=API_KEY),
        await front.http.get(f"/api/requests/{request_id}?route=no-such-route", headers=API_KEY),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, 404)] * 3


async def test_an_id_of_several_routes_needs_the_route(front: Front) -> None:
    request_id = await posted(front)
    await posted(front, "queued", requestId=request_id)
    unclear = await front.http.get(f"/api/requests/{request_id}", headers=API_KEY)
    clear = await front.http.get(f"/api/requests/{request_id}?route=queued", headers=API_KEY)
    assert (unclear.status_code, sorted(unclear.json()["routes"])) == (409, ["event", "queued"])
    assert (clear.status_code, clear.json()["route"]) == (200, "queued")


async def test_a_cancellation_is_asked_for_without_a_worker(front: Front) -> None:
    request_id = await posted(front)
    answer = await front.http.post(f"/api/requests/{request_id}/cancel", headers=API_KEY)
    kinds = [
        each.WhichOneof("attributes") for each in (await front.workflow("event", request_id).fetch_history()).events
    ]
    assert (answer.status_code, answer.json()["cancel_requested"]) == (202, True)
    assert "workflow_execution_cancel_requested_event_attributes" in kinds


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"by": "ann"}, "reason: Field required"),
        ({"by": "ann", "reason": "r", "generate_again": "perhaps"}, "generate_again: Input should be a valid boolean"),
        (
            {"by": "ann", "reason": "r", "service": "other"},
            "There is no image service 'other'; configured: main, spare.",
        ),
    ],
)
async def test_a_redrive_that_makes_no_sense_is_refused(front: Front, body: JsonValue, message: str) -> None:
    request_id = await posted(front)
    answer = await front.http.post(f"/api/requests/{request_id}/redrive", json=body, headers=API_KEY)
    assert answer.status_code == 422
    assert answer.json()["message"].startswith(message)


async def test_what_has_ended_can_neither_be_redriven_nor_cancelled(front: Front) -> None:
    request_id = await posted(front)
    await front.workflow("event", request_id).terminate()
    body = {"by": "ann", "reason": "r"}
    redriven = await front.http.post(f"/api/requests/{request_id}/redrive", json=body, headers=API_KEY)
    cancelled = await front.http.post(f"/api/requests/{request_id}/cancel", headers=API_KEY)
    shown = await front.http.get(f"/api/requests/{request_id}", headers=API_KEY)
    assert (redriven.status_code, cancelled.status_code) == (409, 409)
    assert redriven.json()["message"] == "The request has ended (terminated)."
    assert (shown.json()["status"], "closed" in shown.json()) == ("TERMINATED", True)
