from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from operations.demo.configuration import ROUTES, DemoRoute
from tests.flows.running import running_site
from tests.flows.site import Asked, Site


@pytest.fixture(scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """One site for all flows: every request has an id of its own and says itself what shall go wrong with it."""
    async with running_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="module")
async def posted(site: Site, request: pytest.FixtureRequest) -> Mapping[tuple[str, str], Asked]:
    """A request for each of the module's `MARKS` in each dialect, all posted at once: their waits run side by side."""
    cases = [(route, mark) for route in ROUTES for mark in request.module.MARKS]
    asked = await asyncio.gather(*(site.ask(route, mark) for route, mark in cases))
    return {(route.dialect, mark): one for (route, mark), one in zip(cases, asked, strict=True)}


@pytest.fixture(params=ROUTES, ids=lambda route: str(route.dialect))
def route(request: pytest.FixtureRequest) -> DemoRoute:
    """Every dialect by its route."""
    chosen: DemoRoute = request.param
    return chosen
