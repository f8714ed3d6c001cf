"""A request is acknowledged, its image made once, stored, and delivered once, in the dialect in which it was asked."""

from __future__ import annotations

from contracts.dialects import DIALECTS
from contracts.identity import sha256_hex
from contracts.requests import Outcome
from operations.demo.configuration import DemoRoute
from runtime.blobs import image_key
from tests.flows.site import Site


async def test_a_request_becomes_an_image_in_odoo(site: Site, route: DemoRoute) -> None:
    asked = await site.ask(route)
    intake = DIALECTS[route.dialect].parse(asked.body)
    assert asked.answer.status_code == 200
    assert asked.answer.json() == DIALECTS[route.dialect].acknowledge(intake.reference)
    result = await asked.result()
    assert result.outcome is Outcome.COMPLETED
    assert result.generated is not None
    (image,) = result.generated.images
    # The receiver takes nothing without the route's path, envelope, header and secret, nor an image that is none.
    (outcome,) = await asked.outcomes()
    assert (outcome["dialect"], outcome["status"]) == (route.dialect, "completed")
    assert outcome["image_sha256"] == image.sha256
    assert (outcome["width"], outcome["height"]) == (64, 48)
    name, number = outcome["idempotency_key"].rsplit(":", 1)
    assert name == asked.request_id
    assert number.isdigit()
    assert outcome["correlation"] == asked.request_id
    stored = await site.blobs.read(image_key(image.sha256))
    assert stored is not None
    assert sha256_hex(stored) == image.sha256
    (call,) = await asked.calls()
    assert call["paid"]


async def test_the_state_of_a_request_can_be_read_when_it_is_settled(site: Site, route: DemoRoute) -> None:
    asked = await site.ask(route)
    await asked.result()
    state = await asked.state()
    assert (state["status"], state["stage"], state["outcome"]) == ("COMPLETED", "settled", "completed")
    assert state["route"] == route.dialect


async def test_the_callers_trace_reaches_the_callback(site: Site, route: DemoRoute) -> None:
    first, second = await site.ask(route), await site.ask(route)
    traces = set()
    for asked in (first, second):
        await asked.result()
        traces.add((await asked.outcomes())[0]["traceparent"])
    assert len(traces) == 2, "each request has a trace of its own"
