"""Callbacks that come twice, come unwanted, or come with the wrong secret."""

from __future__ import annotations

import asyncio
import base64
import hashlib

import httpx
import pytest

from operations.odoo.bridge import REQUEST
from tests.odoo.running import Odoos, RunningOdoo
from tests.odoo.site import Json, Site
from tests.services.calls import picture

AT_ONCE = 16
PER_MINUTE, CALLS = 10, 60
FEW = httpx.Limits(max_connections=12)
"""Odoo lets 8 connections wait for each of its worker processes; the kernel resets what is above."""
WAITING = httpx.Timeout(60, pool=None)
SECRET = "made-up-callback-secret-0123456789"
EVENT = "/api/ai/events"


def _completed(key: str) -> Json:
    content = picture()
    return {
        "requestId": key,
        "correlationId": key,
        "status": "completed",
        "imageData": base64.b64encode(content).decode(),
        "imageMetadata": {"format": "png", "size": len(content)},
        "hashValue": hashlib.sha256(content).hexdigest(),
    }


async def _call(site: Site, body: Json) -> httpx.Response:
    async with httpx.AsyncClient(base_url=site.odoo.url, trust_env=False, timeout=60) as http:
        return await http.post(EVENT, json=body, headers={"X-Api-Key": site.files.read_secret("callback")})


async def test_sixteen_equal_callbacks_at_once_make_one_image(site: Site) -> None:
    (request,) = await _waiting(site.odoo, 1)
    body = _completed(request["request_key"])
    answers = await asyncio.gather(*(_call(site, body) for _ in range(AT_ONCE)))
    assert [answer.status_code for answer in answers] == [200] * AT_ONCE
    assert sum(bool(answer.json().get("duplicate")) for answer in answers) == AT_ONCE - 1
    assert len(await site.pictures(request["id"])) == 1


async def _waiting(odoo: RunningOdoo, count: int) -> list[Json]:
    """Requests that nobody handles, as if they were sent."""
    made: list[int] = await odoo.admin.call(REQUEST, "create", [{"prompt": "a heron"}] * count)
    named = ", ".join(map(str, made))
    await odoo.sql(f"UPDATE ai_image_request SET state = 'sent', sent_at = now() WHERE id IN ({named})")  # noqa: S608
    found: list[Json] = await odoo.admin.call(REQUEST, "read", made, ["request_key"])
    return found


@pytest.mark.parametrize("limit", ["0", "1000"])
async def test_fifty_callbacks_at_once_are_all_taken(site: Site, limit: str) -> None:
    await site.odoo.parameters(callback_rate_limit=limit)
    waiting = await _waiting(site.odoo, 50)
    answers = await asyncio.gather(*(_call(site, _completed(one["request_key"])) for one in waiting))
    assert [answer.status_code for answer in answers] == [200] * len(waiting)
    assert {one["state"] for one in await site.finished(*(one["id"] for one in waiting))} == {"completed"}


async def test_worker_processes_share_the_limit_and_make_one_image(odoos: Odoos) -> None:
    async with odoos.running("bridge", workers=2) as odoo:
        await odoo.parameters(callback_secret=SECRET, callback_rate_limit=str(PER_MINUTE))
        (request,) = await _waiting(odoo, 1)
        body, headers = _completed(request["request_key"]), {"X-Api-Key": SECRET}
        async with httpx.AsyncClient(base_url=odoo.url, trust_env=False, timeout=WAITING, limits=FEW) as http:
            # A busy machine may need more than a minute, and each minute has a limit of its own.
            answers = await asyncio.gather(*(http.post(EVENT, json=body, headers=headers) for _ in range(CALLS)))
        counts = [int(count) for count in (await odoo.sql("SELECT count FROM ai_image_rate")).splitlines()]
        assert sum(counts) == CALLS
        passed = [answer for answer in answers if answer.status_code == 200]
        limited = [answer for answer in answers if answer.status_code == 429]
        assert len(passed) == sum(min(count, PER_MINUTE) for count in counts)
        assert len(limited) == CALLS - len(passed)
        assert limited
        assert all(0 < int(answer.headers["Retry-After"]) <= 60 for answer in limited)
        assert sum(not answer.json().get("duplicate") for answer in passed) == 1
        assert await odoo.sql("SELECT count(*) FROM ai_image_result") == "1"


async def test_other_content_after_completion_is_a_conflict(site: Site) -> None:
    (request,) = await _waiting(site.odoo, 1)
    body = _completed(request["request_key"])
    assert (await _call(site, body)).status_code == 200
    failed = {"requestId": request["request_key"], "correlationId": "x", "status": "failed", "errorCode": "X"}
    assert (await _call(site, failed)).status_code == 409
    assert (await site.record(request["id"]))["state"] == "completed"


async def test_a_wrong_secret_is_a_dead_letter_until_it_is_corrected(site: Site) -> None:
    right = site.files.read_secret("callback")
    await site.odoo.parameters(callback_secret="whsec_" + "ab" * 24)
    asked = await site.ask()
    request = await site.wait_for(asked, state="sent")
    key = request["request_key"]
    parked = await site.parked(key, "event")
    assert (parked["step"], parked["failure"]["failure"]) == ("deliver", "CallbackRefused")
    assert parked["failure"]["http_status"] == 401
    assert right not in str(parked)
    await site.odoo.parameters(callback_secret=right)
    assert (await site.order(key, "event", "redrive")).status_code == 200
    await site.wait_for(asked, state="completed")
    assert len(await site.pictures(asked)) == await site.paid(key) == 1


async def test_odoo_finds_out_about_a_dead_letter_and_redrives_it(site: Site) -> None:
    await site.odoo.parameters(callback_secret="whsec_" + "cd" * 24)
    asked = await site.ask()
    request = await site.wait_for(asked, state="sent")
    await site.parked(request["request_key"], "event")
    await site.odoo.parameters(callback_secret=site.files.read_secret("callback"))
    await site.odoo.sql(f"UPDATE ai_image_request SET sent_at = sent_at - interval '1 day' WHERE id = {asked}")  # noqa: S608
    (cron,) = await site.odoo.admin.search("ir.model.data", ["name", "=", "cron_reconcile"], fields=("res_id",))
    await site.odoo.admin.call("ir.cron", "method_direct_trigger", [cron["res_id"]])
    told = await site.wait_for(asked, parked=True)
    assert told["last_error"]
    assert await site.odoo.admin.call(REQUEST, "action_retry", [asked]) is True
    await site.wait_for(asked, state="completed")
