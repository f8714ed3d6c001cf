"""A request is cancelled by the requests API, wherever it stands, and Odoo is told."""

from __future__ import annotations

import asyncio

from contracts.requests import Outcome
from operations.demo.configuration import DemoRoute
from tests.flows.site import Asked, Site


async def cancelled(asked: Asked) -> str:
    """Cancel it; what Odoo was told last."""
    answer = await asked.order("cancel")
    assert (answer.status_code, answer.json()["cancel_requested"]) == (202, True)
    assert (await asked.result()).outcome is Outcome.CANCELLED
    code: str = (await asked.outcomes())[-1]["error_code"]
    return code


async def test_a_request_whose_image_is_being_made(site: Site, route: DemoRoute) -> None:
    asked = await site.ask(route, "image:hang")
    while not await asked.calls():
        await asyncio.sleep(0.02)
    assert await cancelled(asked) == "CANCELLED"
    assert len(await asked.calls()) == 1


async def test_a_dead_letter(site: Site, route: DemoRoute) -> None:
    asked = await site.ask(route, "image:quota")
    await asked.parked()
    assert await cancelled(asked) == "CANCELLED"
    assert [outcome["error_code"] for outcome in await asked.outcomes()] == ["AI_QUOTA_EXHAUSTED", "CANCELLED"]


async def test_a_request_that_has_ended_cannot_be_cancelled(site: Site, route: DemoRoute) -> None:
    asked = await site.ask(route)
    await asked.result()
    assert (await asked.order("cancel")).status_code == 409
    assert [outcome["status"] for outcome in await asked.outcomes()] == ["completed"]
