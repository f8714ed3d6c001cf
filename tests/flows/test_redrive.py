"""A dead letter is taken up again at the step that failed, by the requests API, as Odoo's button does it."""

from __future__ import annotations

import asyncio

from contracts.requests import Outcome
from operations.demo.configuration import DemoRoute
from tests.flows.site import Asked, Site

UNSAID = "an image may have been paid for already (OutcomeUnknown): to pay for another one"
AGAIN = {"by": "admin", "reason": "it is well again"}


async def parked_again(asked: Asked, parking: int) -> None:
    while (await asked.parked())["parking"] != parking:
        await asyncio.sleep(0.02)


async def test_a_refused_call_is_repeated_within_the_same_generation(site: Site, route: DemoRoute) -> None:
    asked = await site.ask(route, "image:unauthorized")
    for parking in (1, 2):
        await parked_again(asked, parking)
        answer = await asked.order("redrive", AGAIN)
        assert (answer.status_code, answer.json()["redriven"]) == (200, True)
    assert (await asked.result()).outcome is Outcome.COMPLETED
    assert [call["paid"] for call in await asked.calls()] == [False, False, True]
    outcomes = await asked.outcomes()
    assert [outcome["status"] for outcome in outcomes] == ["failed", "failed", "completed"]
    names, numbers = zip(*(outcome["idempotency_key"].rsplit(":", 1) for outcome in outcomes), strict=True)
    first = int(numbers[0])
    assert set(names) == {asked.request_id}
    assert [int(number) - first for number in numbers] == [0, 1, 2]


async def test_an_unknown_outcome_is_not_paid_again_unless_that_is_allowed(site: Site, route: DemoRoute) -> None:
    asked = await site.ask(route, "image:drop_after_work")
    await asked.parked()
    await asked.order("redrive", AGAIN)
    await parked_again(asked, 2)
    assert len(await asked.calls()) == 1
    edited = {**AGAIN, "edits": {"prompt": "a plain red fox"}}
    refused = await asked.order("redrive", edited)
    assert (refused.status_code, refused.json()["message"]) == (409, f"{UNSAID}, add generate_again")
    await asked.order("redrive", {**edited, "generate_again": True})
    assert (await asked.result()).outcome is Outcome.COMPLETED
    assert [call["prompt"] for call in await asked.calls()][1:] == ["a plain red fox"]


async def test_a_callback_is_repeated_unchanged_and_no_image_is_made_again(site: Site, route: DemoRoute) -> None:
    asked = await site.ask(route, "odoo:unauthorized")
    for parking in (1, 2):
        await parked_again(asked, parking)
        assert (await asked.parked())["step"] == "deliver"
        assert (await asked.order("redrive", AGAIN)).status_code == 200
    assert (await asked.result()).outcome is Outcome.COMPLETED
    (outcome,) = await asked.outcomes()
    assert (outcome["idempotency_key"].rsplit(":", 1)[0], outcome["attempts"]) == (asked.request_id, 3)
    assert len(await asked.calls()) == 1


async def test_only_a_dead_letter_can_be_redriven(site: Site, route: DemoRoute) -> None:
    asked = await site.ask(route)
    await asked.result()
    assert (await asked.order("redrive", AGAIN)).status_code == 409
    assert len(await asked.calls()) == 1
