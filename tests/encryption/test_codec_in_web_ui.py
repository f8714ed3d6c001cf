"""The real Web UI in a real browser: clear text for those whom the codec server knows, and for nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, HttpCredentials, Page
from temporalio.client import ScheduleActionStartWorkflow

from contracts.names import RETENTION_WORKFLOW
from operations.local_stack import LocalStack, configured_stack
from operations.schedules import ensure_schedules
from runtime.codec import is_encrypted
from runtime.configuration import load_settings
from tests.encryption.encrypted_site import PASSWORD, READER, encrypted, key_file
from tests.odoo.browsing import running_browser
from tests.operations.requests_at_work import NO_CREDIT, parked, working

MAY_READ: HttpCredentials = {"username": READER, "password": PASSWORD}
_CODEC_SETTINGS = """(endpoint) => {
    localStorage.setItem("endpoint", JSON.stringify(endpoint));
    localStorage.setItem("includeCredentials", "true");
    localStorage.setItem("overrideRemoteCodecConfiguration", "true");
}"""
"""What the Web UI's own dialog, Codec Server, writes; only it can have credentials included."""


class Site:
    """An encrypted dead letter, and the pages that show it."""

    def __init__(self, local: LocalStack, browser: Browser, path: str) -> None:
        self.local, self._browser, self._path = local, browser, path

    @asynccontextmanager
    async def history(self, credentials: HttpCredentials | None) -> AsyncIterator[Page]:
        """The request's page in a browser that knows the codec server's password or not."""
        context = await self._browser.new_context(
            viewport={"width": 1440, "height": 900}, locale="en-US", http_credentials=credentials
        )
        page = await context.new_page()
        page.set_default_timeout(40_000)
        if credentials is not None:
            await page.goto(self.local.ui_url)
            await page.evaluate(_CODEC_SETTINGS, self.local.codec_url)
            await page.goto(self.local.codec_url or "")
            await page.get_by_text("You may read clear text").wait_for()
        await page.goto(f"{self.local.ui_url}/namespaces/default/workflows/{self._path}/history")
        try:
            yield page
        finally:
            await context.close()


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    directory: Path = tmp_path_factory.mktemp("codec")
    line = encrypted(directory, "127.0.0.1:9", key_file(directory, "key"))
    async with AsyncExitStack() as stack:
        browser = await stack.enter_async_context(running_browser())
        local = configured_stack(directory, line.config, load_settings(line.config), usual_ports=False)
        stack.push_async_callback(local.stack.stop)
        # As `up` starts them; the workers are the test's own.
        for program in (local.stack.server(), local.stack.codec_server(local.codec_url or "")):
            await local.stack.supervisor.start(program)
        client = local.stack.client
        await stack.enter_async_context(working(client, line))
        handle = await parked(client, line, "spring-poster")
        run_id = (await handle.describe()).run_id
        yield Site(local, browser, f"{quote(handle.id, safe='')}/{run_id}")


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


async def test_what_the_stack_itself_sends_is_encrypted(site: Site) -> None:
    client = site.local.stack.client
    await ensure_schedules(client, load_settings(site.local.config))
    action = (await client.get_schedule_handle(RETENTION_WORKFLOW).describe()).schedule.action
    assert isinstance(action, ScheduleActionStartWorkflow)
    assert [is_encrypted(arg) for arg in action.args] == [True]
