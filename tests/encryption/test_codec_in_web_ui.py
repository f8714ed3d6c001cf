"""The real Web UI in a real browser: clear text for those whom the codec server knows, and for nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, HttpCredentials, Page

from tests.encryption.encrypted_site import (
    PASSWORD,
    READER,
    WebUi,
    client_with,
    codec_server,
    encrypted,
    key_file,
    web_ui,
)
from tests.odoo.browsing import running_browser
from tests.operations.requests_at_work import NO_CREDIT, parked, working

MAY_READ: HttpCredentials = {"username": READER, "password": PASSWORD}
_CODEC_SETTINGS = """(endpoint) => {
    localStorage.setItem("endpoint", JSON.stringify(endpoint));
    localStorage.setItem("includeCredentials", "true");
    localStorage.setItem("overrideRemoteCodecConfiguration", "true");
}"""
"""What the Web UI's own dialog, Codec Server, writes."""


class Site:
    """An encrypted dead letter, and the pages that show it."""

    def __init__(self, ui: WebUi, browser: Browser, codec: str, path: str) -> None:
        self._ui, self._browser, self._codec, self._path = ui, browser, codec, path

    @asynccontextmanager
    async def history(self, credentials: HttpCredentials | None) -> AsyncIterator[Page]:
        """The request's page in a browser that knows the codec server, and its password or not."""
        context = await self._browser.new_context(
            viewport={"width": 1440, "height": 900}, locale="en-US", http_credentials=credentials
        )
        page = await context.new_page()
        page.set_default_timeout(40_000)
        await page.goto(self._ui.url)
        await page.evaluate(_CODEC_SETTINGS, self._codec)
        if credentials is not None:
            await page.goto(self._codec)
            await page.get_by_text("You may read clear text").wait_for()
        await page.goto(f"{self._ui.url}/namespaces/default/workflows/{self._path}/history")
        try:
            yield page
        finally:
            await context.close()


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    directory: Path = tmp_path_factory.mktemp("codec")
    key = key_file(directory, "key")
    async with AsyncExitStack() as stack:
        browser = await stack.enter_async_context(running_browser())
        ui = await stack.enter_async_context(web_ui(directory))
        line = encrypted(directory, ui.address, key, origins=(ui.url,))
        codec = await stack.enter_async_context(codec_server(line))
        client = await client_with(ui.address, key)
        await stack.enter_async_context(working(client, line))
        handle = await parked(client, line, "spring-poster")
        run_id = (await handle.describe()).run_id
        yield Site(ui, browser, codec, f"{quote(handle.id, safe='')}/{run_id}")


async def test_who_may_read_sees_clear_text(site: Site, tmp_path: Path) -> None:
    async with site.history(MAY_READ) as page:
        await page.locator(".cm-content", has_text=f'"prompt": "{NO_CREDIT}"').first.wait_for()
        shot = tmp_path / "web-ui-codec.png"
        await page.screenshot(path=shot)
        assert shot.stat().st_size > 10_000


async def test_who_may_not_sees_ciphertext_only(site: Site) -> None:
    async with site.history(None) as page:
        await page.get_by_text("could not connect").first.wait_for(state="attached")
        await page.get_by_text("Upsert Workflow Search Attributes").first.wait_for()
        assert NO_CREDIT not in await page.inner_text("body")
