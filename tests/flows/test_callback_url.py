"""A callback URL in a body is used where its origin is allowed, and the request is refused where it is not."""

from __future__ import annotations

import pytest

from operations.demo.configuration import ROUTES, DemoRoute
from tests.flows.site import Site

naming = pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.dialect in {"event", "endpoint"}], ids=lambda route: route.dialect
)


@naming
async def test_an_allowed_url_is_posted_to(site: Site, route: DemoRoute) -> None:
    asked = await site.ask(route, by_url=True, callback_url=f"{site.recorder.url}/elsewhere?record=5")
    await asked.result()
    paths = [post.path for post in site.recorder.received if asked.request_id in post.body.decode()]
    assert paths == ["/elsewhere?record=5"]


@naming
@pytest.mark.parametrize("url", ["https://stranger.example/callback", "{receiver}@stranger.example/", "file:///etc"])
async def test_another_origin_is_refused_and_nothing_starts(site: Site, route: DemoRoute, url: str) -> None:
    asked = await site.ask(route, callback_url=url.format(receiver=site.stand_ins.receiver_url))
    assert asked.answer.status_code == 422
    assert (await site.api.get(f"/api/requests/{asked.request_id}")).status_code == 404
