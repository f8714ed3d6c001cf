"""Each side dies or is away while the other one works: nothing is lost, nothing is paid or shown twice."""

from __future__ import annotations

import asyncio

from contracts.requests import Stage
from tests.odoo.running import until
from tests.odoo.site import BY_NAME, Json, Site

LONG: Json = {"match": "[long]", "kind": "slow", "seconds": 30, "times": 0}
"""Until all are sent."""
SLOW: Json = {"match": "[slow]", "kind": "slow", "seconds": 6, "times": 0}
MINUTE_S = 60
CALLBACKS, PER_MINUTE = 100, 60


async def _arrived_once(site: Site, *records: int) -> None:
    for done in await site.finished(*records):
        assert done["state"] == "completed", done["last_error"]
        assert len(await site.pictures(done["id"])) == 1
        assert await site.paid(done["request_key"]) == await site.runs(done["request_key"], "event") == 1


async def test_a_hundred_callbacks_meet_a_rate_limit_after_a_minute_without_odoo(site: Site) -> None:
    await site.faults(LONG)
    await site.odoo.parameters(callback_rate_limit=str(PER_MINUTE))
    asked = await site.ask_many(CALLBACKS, "a fox [long]")
    await until(lambda: _all_taken(site, asked), "not all were sent")
    keys = [(await site.record(record))["request_key"] for record in asked]
    await site.odoo.stop()
    await asyncio.sleep(MINUTE_S)
    stages = [(await site.state(key, "event"))["stage"] for key in keys]
    assert stages.count(Stage.DELIVERING) > PER_MINUTE
    await site.odoo.start()
    await _arrived_once(site, *asked)
    counted = await site.odoo.sql("SELECT max(count) FROM ai_image_rate")
    assert int(counted) > PER_MINUTE, "the limit was never hit"


async def test_odoo_killed_while_it_handles_a_callback(site: Site) -> None:
    await site.faults(SLOW)
    asked = await site.ask(mark="[slow]")
    await site.wait_for(asked, state="sent")
    async with site.odoo.transaction(f"SELECT id FROM ai_image_request WHERE id = {asked} FOR UPDATE;"):  # noqa: S608
        await until(site.odoo.waits_for_a_lock, "no callback is being handled")
        await site.odoo.kill()
    await site.odoo.start()
    await _arrived_once(site, asked)


async def test_the_starter_killed_while_odoo_sends(site: Site) -> None:
    asked = await site.ask_many(30, "a boat")
    await until(lambda: _one_taken(site, asked), "none was sent")
    await site.starter.kill()
    await until(lambda: _one_refused(site, asked), "the kill hit no request")
    await site.starter.start()
    await site.send_now()
    await _arrived_once(site, *asked)


async def test_a_serialization_conflict_is_odoos_own_affair(site: Site) -> None:
    await site.faults(SLOW)
    asked = await site.ask(mark="[slow]")
    await site.wait_for(asked, state="sent")
    async with site.odoo.transaction(f"UPDATE ai_image_request SET campaign = 'other' WHERE id = {asked};"):  # noqa: S608
        await until(site.odoo.waits_for_a_lock, "no callback is being handled")
    await _arrived_once(site, asked)
    assert (await site.record(asked))["campaign"] == "other"
    assert BY_NAME["event"].callback in site.odoo.log


async def _all_taken(site: Site, asked: list[int]) -> bool:
    return await _count(site, asked, "sent_at IS NOT NULL") == len(asked)


async def _one_taken(site: Site, asked: list[int]) -> bool:
    return await _count(site, asked, "sent_at IS NOT NULL") > 0


async def _one_refused(site: Site, asked: list[int]) -> bool:
    return await _count(site, asked, "state = 'queued' AND attempts > 0") > 0


async def _count(site: Site, asked: list[int], condition: str) -> int:
    ids = ", ".join(map(str, asked))
    query = f"SELECT count(*) FROM ai_image_request WHERE {condition} AND id IN ({ids})"  # noqa: S608
    return int(await site.odoo.sql(query))
