"""Takes the screenshots of docs/web-ui.md anew: `python -P -m tests.web_ui.screens docs/images`."""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.async_api import Page, expect

from operations.saved_views import VIEWS, link
from tests.odoo.browsing import running_browser
from tests.web_ui.operating import (
    DIALOG,
    choose_update,
    current_details,
    open_list,
    open_request,
    open_update_form,
    set_up,
    submit,
)
from tests.web_ui.ui_site import NO_CREDIT, RETRYING, UiSite, running_site

TALL = {"width": 1280, "height": 1600}
WIDE = {"width": 1760, "height": 700}


async def _take(site: UiSite, page: Page, folder: Path) -> None:
    async def shoot(name: str) -> None:
        await page.wait_for_timeout(500)
        taken = Image.open(io.BytesIO(await page.screenshot())).convert("RGB")
        taken.quantize(256, dither=Image.Dither.NONE).save(folder / f"web-ui-{name}.png", optimize=True)

    await page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    await set_up(page, site)
    await shoot("requests")
    await page.click("[data-testid=saved-views-button]")
    await shoot("saved-views")
    await open_list(page, link(site.local.ui_url, "default", VIEWS[1].query))
    await shoot("dead-letters")
    await open_request(page, site, RETRYING, "Pending Activities")
    await expect(page.get_by_text("Next Retry").locator("visible=true").first).to_be_visible()
    await shoot("pending-activity")
    await page.set_viewport_size(TALL)  # type: ignore[arg-type]
    await open_request(page, site, NO_CREDIT, "User Metadata")
    await expect(current_details(page).get_by_text("It waits for your decision")).to_be_visible()
    await shoot("dead-letter")
    await page.set_viewport_size({"width": 1280, "height": 760})
    await open_update_form(page)
    await shoot("updates")
    await choose_update(page, "redrive-with-edits")
    await submit(page, '{"by": "ada", "reason": "other wording", "edits": {"promt": "a paper boat"}}')
    await expect(page.locator(DIALOG).get_by_text("no such field: promt")).to_be_visible()
    await shoot("refused")
    await submit(page, '{"by": "ada", "reason": "other wording", "edits": {"prompt": "a paper boat"}}')
    await expect(page.get_by_text("Update successful").first).to_be_visible()
    await site.handle(NO_CREDIT).result()
    await page.set_viewport_size(TALL)  # type: ignore[arg-type]
    await open_request(page, site, NO_CREDIT, "User Metadata")
    await expect(current_details(page).get_by_text("Completed").first).to_be_visible()
    await shoot("redriven")


async def main(folder: Path) -> None:
    """Start the stack, walk through it once, leave the pictures in the folder."""
    with tempfile.TemporaryDirectory() as directory:
        async with running_browser() as browser, running_site(Path(directory), browser) as site, site.page() as page:
            await _take(site, page, folder)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
