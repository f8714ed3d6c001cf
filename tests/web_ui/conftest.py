from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page

from tests.odoo.browsing import running_browser
from tests.web_ui.ui_site import UiSite, running_site


@pytest.fixture(scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[UiSite]:
    """The stack with its Web UI and a request in every state; each test decides about a dead letter of its own."""
    async with running_browser() as browser, running_site(tmp_path_factory.mktemp("web-ui"), browser) as running:
        yield running


@pytest.fixture
async def page(site: UiSite) -> AsyncIterator[Page]:
    """A page of a browser that was never here."""
    async with site.page() as one:
        yield one
