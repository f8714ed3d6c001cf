"""Debian's chromium, headless, driven by Playwright."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from operations.odoo.installation import LOGIN, PASSWORD
from tests.odoo.running import RunningOdoo

GET_CHROMIUM = Path(__file__).parent / "get-chromium"
WIDTH, HEIGHT = 1280, 800
SLOWEST_MS = 60_000
"""Milliseconds for one step: the first page of a new database waits for its assets to be built."""
FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """A browser; skips the tests where there can be none."""
    got = await asyncio.to_thread(subprocess.run, [GET_CHROMIUM], capture_output=True, text=True, check=False)
    if got.returncode:
        pytest.skip(f"NO BROWSER HERE, so no screen is looked at: {got.stderr.strip()}")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=got.stdout.strip(), args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def logged_in(
    browser: Browser, odoo: RunningOdoo, login: str = LOGIN, password: str = PASSWORD
) -> AsyncIterator[Page]:
    """A page of a user who has logged in to Odoo's back end, in a context (cookies) of its own."""
    # Odoo's tours lay their pointer over what a test clicks and a screenshot shows.
    await odoo.admin.call(
        "res.users", "write", [user["id"] for user in await odoo.admin.search("res.users")], {"tour_enabled": False}
    )
    context = await _context(browser, odoo)
    try:
        page = await context.new_page()
        await page.goto("/web/login")
        await page.fill("input[name=login]", login)
        await page.fill("input[name=password]", password)
        await page.click("button[type=submit]")
        await page.wait_for_selector(".o_main_navbar")
        yield page
    finally:
        await context.close()


async def _context(browser: Browser, odoo: RunningOdoo) -> BrowserContext:
    size = {"width": WIDTH, "height": HEIGHT}
    context = await browser.new_context(base_url=odoo.url, viewport=size, locale="en-US")  # type: ignore[arg-type]
    context.set_default_timeout(SLOWEST_MS)
    return context
