from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from operations.odoo.installation import ADDON, STOCK, OdooHome, OdooMissingError, get_odoo
from tests.odoo.browsing import logged_in, running_browser
from tests.odoo.running import Odoos, Running, RunningOdoo
from tests.odoo.sides import Sides, running_sides
from tests.odoo.site import BY_NAME, Site, running_site

BRIDGE = "bridge"
LONGEST_S = 500
DEFAULTS = {
    "callback_secret_old": "",
    "callback_rate_limit": "0",
    "daily_quota": "0",
    "result_deadline_min": "15",
    "timeout_s": "10",
}
"""Parameters of the addon that tests change."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first of these tests gets Odoo, which takes longer than a test may."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(LONGEST_S))


@pytest.fixture(scope="session")
async def odoo_home() -> AsyncIterator[OdooHome]:
    """A running PostgreSQL with the databases `stock` and `bridge` to copy; nobody else uses these two."""
    try:
        await get_odoo()
        home = await OdooHome.new()
    except OdooMissingError as error:
        pytest.skip(f"NO REAL ODOO HERE, so nothing of it is proved: {error}")
    postgres = Running(home.postgres(), home.state / "postgres.out")
    try:
        await postgres.start()
        await home.clone(STOCK, BRIDGE)
        await home.install(BRIDGE, ADDON)
        yield home
    finally:
        await postgres.stop()
        home.remove()


@pytest.fixture(scope="session")
async def odoos(odoo_home: OdooHome) -> Odoos:
    """Makes further Odoos: `async with odoos.running("stock") as odoo`."""
    return Odoos(odoo_home)


@pytest.fixture(scope="session")
async def shared_odoo(odoos: Odoos) -> AsyncIterator[RunningOdoo]:
    """The Odoo behind `odoo`."""
    async with odoos.running(BRIDGE) as running:
        yield running


@pytest.fixture
async def odoo(shared_odoo: RunningOdoo) -> RunningOdoo:
    """An Odoo with our addon that all tests share, running at the start of each: make your own records."""
    await shared_odoo.start()
    return shared_odoo


@pytest.fixture(scope="session")
async def stock_odoo(odoos: Odoos) -> AsyncIterator[RunningOdoo]:
    """An Odoo without our addon that all tests share; server actions of type webhook and /web/hook/ are there."""
    async with odoos.running(STOCK) as running:
        yield running


@pytest.fixture(scope="session")
async def shared_site(shared_odoo: RunningOdoo, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """The site behind `site`."""
    async with running_site(tmp_path_factory.mktemp("site"), shared_odoo) as running:
        yield running


@pytest.fixture
async def site(shared_site: Site, odoo: RunningOdoo) -> Site:
    """Odoo and the orchestrator, both running, the addon set up for route `event`."""
    if not shared_site.starter.runs:
        await shared_site.starter.start()
    await shared_site.bridge.use(BY_NAME["event"], **DEFAULTS)
    return shared_site


@pytest.fixture(scope="session")
async def shared_sides(
    odoos: Odoos, stock_odoo: RunningOdoo, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Sides]:
    """The sides behind `sides`."""
    async with running_sides(tmp_path_factory.mktemp("sides"), odoos, stock_odoo) as running:
        yield running


@pytest.fixture
async def sides(shared_sides: Sides) -> Sides:
    """An Odoo with the addon, one without and the orchestrator of both, agreed with each other."""
    await shared_sides.site.bridge.use(BY_NAME["event"])
    await shared_sides.agree()
    assert await shared_sides.found() == []
    return shared_sides


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A browser that all tests share."""
    async with running_browser() as running:
        yield running


@pytest.fixture
async def page(browser: Browser, odoo: RunningOdoo) -> AsyncIterator[Page]:
    """A page of the administrator, logged in to the shared Odoo."""
    async with logged_in(browser, odoo) as opened:
        yield opened
