"""What an operator does in Temporal's Web UI, by clicks and keys."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import quote

from playwright.async_api import FrameLocator, Page

from contracts.identity import workflow_id
from operations.saved_views import set_up_script
from tests.web_ui.ui_site import ROUTE, UiSite

DIALOG = "dialog[open]"
"""The form that is open: the page holds those of all actions."""


async def set_up(page: Page, site: UiSite) -> None:
    """Open the list and run the set-up script there, as its bookmark does."""
    await open_list(page, site.workflows)
    async with page.expect_navigation():
        await page.evaluate(set_up_script("default"))
    await page.locator("tbody a").first.wait_for()


async def open_list(page: Page, url: str) -> None:
    """Open a list, and wait until the server has told what is in it."""
    async with page.expect_response(lambda answer: "/api/v1/" in answer.url and "/workflows?" in answer.url):
        await page.goto(url)


async def lists(page: Page, workflow_ids: set[str]) -> bool:
    """Whether the list comes to show exactly these."""
    for _ in range(100):
        texts = await page.locator("tbody a").all_inner_texts()
        if {text for text in texts if "/" in text} == workflow_ids:
            return True
        await asyncio.sleep(0.1)
    return False


async def open_request(page: Page, site: UiSite, request_id: str, tab: str) -> None:
    """Open the page of a request and one of its tabs."""
    await page.goto(f"{site.workflows}/{quote(workflow_id(ROUTE.name, request_id), safe='')}")
    # The page leads itself on to the newest run first.
    await page.wait_for_url("**/timeline")
    await page.click(f"a:has-text('{tab}') >> visible=true")


def current_details(page: Page) -> FrameLocator:
    """What the request says of itself, which the Web UI renders in frames of their own; this is the last one."""
    return page.frame_locator("iframe").last


async def open_update_form(page: Page) -> None:
    """Open the form, and in it the names of the Updates."""
    await page.click("text=More Actions >> visible=true")
    await page.click("text=Send an Update >> visible=true")
    await page.click(f"{DIALOG} [data-testid=update-select-button]")
    await page.wait_for_selector(f"{DIALOG} li >> visible=true")


async def choose_update(page: Page, name: str) -> None:
    """Choose an Update by its name in the open form."""
    option = page.locator(f"{DIALOG} li").filter(has=page.get_by_text(re.compile(f"^{name}$")))
    await option.click()


async def submit(page: Page, data: str) -> None:
    """Type the data over what is there, and submit."""
    await page.click(f"{DIALOG} .cm-content")
    await page.keyboard.press("Control+A")
    await page.keyboard.insert_text(data)
    # Leaving the field reformats it, which moves the button.
    await page.focus(f"{DIALOG} #update-id")
    await page.wait_for_function("!document.activeElement.closest('.cm-content')")
    await page.click(f"{DIALOG} button:has-text('Submit')")
