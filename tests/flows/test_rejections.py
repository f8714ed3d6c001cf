"""A body that fails its dialect is acknowledged, and Odoo is told which field it was."""

from __future__ import annotations

import uuid

import pytest

from contracts.dialects import DIALECTS
from contracts.requests import Outcome
from operations.bodies import Ask, body_of
from operations.demo.configuration import DemoRoute
from tests.flows.site import Asked, Json, Site

IDS = {
    "event": "requestId",
    "correlation": "correlation_id",
    "request": "request_id",
    "adapter": "request_id",
    "endpoint": "ai_generation_request_id",
}


async def refused(asked: Asked) -> str:
    """What Odoo is told of a body that is not valid."""
    assert asked.answer.status_code == 200
    assert (await asked.result()).outcome is Outcome.REJECTED
    (outcome,) = await asked.outcomes()
    assert (outcome["status"], outcome["error_code"]) == ("failed", "INPUT_VALIDATION_ERROR")
    assert await asked.calls() == []
    message: str = outcome["error_message"]
    return message


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [({"prompt": None}, "prompt is required and missing"), ({"size": "wide"}, "resolution must be a size")],
    ids=["missing", "wrong"],
)
async def test_the_field_is_named(site: Site, route: DemoRoute, changes: Json, sentence: str) -> None:
    assert sentence in await refused(await site.ask(route, **changes))


async def test_a_body_without_an_id_is_named_by_its_content(site: Site, route: DemoRoute) -> None:
    target = site.target(route)
    body = body_of(route.dialect, Ask("dropped", f"a red fox {uuid.uuid4()}", **target))
    del body[IDS[route.dialect]]
    derived = DIALECTS[route.dialect].parse(body).reference.request_id
    assert derived.startswith("sha256-")
    message = await refused(await site.post(route, derived, body))
    assert f"{IDS[route.dialect]} is required and missing" in message
