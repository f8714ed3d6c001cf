"""The addon's screens, as people use them: a real browser on a real Odoo with the orchestrator behind it.

With ODOO_SCREENSHOTS set, the pictures in docs/images are taken anew.
"""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from operations.odoo.bridge import REQUEST
from operations.odoo.rpc import OdooClient
from tests.odoo.browsing import SLOWEST_MS, logged_in
from tests.odoo.running import RunningOdoo
from tests.odoo.site import Site

IMAGES = Path(__file__).parents[2] / "docs" / "images"
PASSWORD = "made-up-password"
REQUESTS = "/odoo/action-ai_image_bridge.action_requests"
SETTINGS = "/odoo/action-ai_image_bridge.action_settings"
IMAGE_LOADED = "image => image.complete && image.naturalWidth > 0"
SIZE = "512x384"


@dataclass(frozen=True)
class Painter:
    """An ordinary user who may ask for images."""

    login: str
    client: OdooClient
    browser: Browser
    odoo: RunningOdoo

    def page(self) -> AbstractAsyncContextManager[Page]:
        return logged_in(self.browser, self.odoo, self.login, PASSWORD)

    async def draft(self, prompt: str) -> int:
        return await self.client.create(REQUEST, prompt=prompt, resolution=SIZE)

    async def ask(self, site: Site, prompt: str) -> dict[str, Any]:
        made = await self.draft(prompt)
        await self.client.call(REQUEST, "action_generate", [made])
        (done,) = await site.finished(made)
        return done


@pytest.fixture
async def painter(browser: Browser, odoo: RunningOdoo) -> AsyncIterator[Painter]:
    (group,) = await odoo.admin.search(
        "ir.model.data", ["module", "=", "ai_image_bridge"], ["name", "=", "group_user"], fields=("res_id",)
    )
    login = f"ada-{uuid.uuid4()}"
    groups = [[6, 0, [group["res_id"]]]]
    await odoo.admin.create("res.users", name="Ada Painter", login=login, password=PASSWORD, group_ids=groups)
    async with OdooClient(odoo.url, odoo.database, login, PASSWORD) as client:
        yield Painter(login, client, browser, odoo)


async def photograph(page: Page, name: str) -> None:
    """Keep a picture for the documentation, where it is asked for."""
    if os.environ.get("ODOO_SCREENSHOTS"):
        await page.mouse.move(0, 0)
        await page.wait_for_function("[...document.images].every(image => image.complete)")
        await page.screenshot(path=IMAGES / f"odoo-{name}.png", animations="disabled")


async def expect_image(image: Locator) -> None:
    await expect(image).to_be_visible(timeout=SLOWEST_MS)
    await image.page.wait_for_function(IMAGE_LOADED, arg=await image.element_handle())


async def expect_state(page: Page, state: str) -> None:
    current = page.locator(".o_statusbar_status .o_arrow_button_current")
    await expect(current).to_have_text(re.compile(state), timeout=SLOWEST_MS)


def card(page: Page, prompt: str) -> Locator:
    return page.locator(".o_kanban_record", has_text=prompt)


async def test_a_user_asks_for_an_image_and_sees_it(site: Site, painter: Painter) -> None:
    async with painter.page() as page:
        await page.goto(REQUESTS)
        await page.get_by_role("button", name="New").click()
        await page.locator("[name=prompt] textarea").fill("A red bicycle in front of a brick wall, evening light")
        await page.locator("[name=resolution] input").fill(SIZE)
        await page.locator("[name=campaign] input").fill("Spring sale")
        await page.get_by_role("button", name="Generate").click()
        await expect_state(page, "Completed")
        await expect_image(page.locator(".o_ai_image_large"))
        await expect(page.get_by_role("button", name="Generate")).to_have_count(0)
        await photograph(page, "form")
        await page.goto(REQUESTS)
        await expect_image(card(page, "A red bicycle").locator("img[alt='Generated image']"))
        await expect(card(page, "A red bicycle")).to_contain_text("Completed")
        await page.locator(".o_ai_image_thumbnail").first.click()
        await page.locator(".o_ai_image_large").click()
        await expect_image(page.locator(".modal .o_ai_image_whole img"))


async def test_a_screen_follows_what_happens_elsewhere(site: Site, painter: Painter) -> None:
    draft = await painter.draft("A fox that nobody watches over")
    async with painter.page() as page:
        await page.goto(REQUESTS)
        # Nothing that is shown is under way, so the first change can come by the bus alone.
        await expect(card(page, "A fox")).to_contain_text("Draft")
        await page.evaluate("window.sameDocument = true")
        await painter.client.call(REQUEST, "action_generate", [draft])
        await expect(card(page, "A fox")).to_contain_text("Completed", timeout=SLOWEST_MS)
        await expect_image(card(page, "A fox").locator("img[alt='Generated image']"))
        assert await page.evaluate("window.sameDocument")


async def test_a_contact_gets_an_image_by_the_wizard(site: Site, painter: Painter) -> None:
    partner = await site.odoo.admin.create("res.partner", name="Lamps & Sons")
    async with painter.page() as page:
        await page.goto(f"/odoo/res.partner/{partner}")
        await page.locator(".o_cp_action_menus .dropdown-toggle").click()
        await page.get_by_role("menuitem", name="Generate image").click()
        wizard = page.locator(".modal")
        await expect(wizard).to_contain_text("Lamps & Sons")
        await wizard.locator("[name=prompt] textarea").fill("A shop sign for {name}, brass letters on dark wood")
        await wizard.locator("[name=resolution] input").fill(SIZE)
        await photograph(page, "wizard")
        await wizard.get_by_role("button", name="Generate").click()
        await expect(page.locator("[name=prompt]")).to_contain_text("A shop sign for Lamps & Sons")
        await expect(page.locator("[name=record_ref]")).to_contain_text("Lamps & Sons")
        await expect_state(page, "Completed")
        await expect_image(page.locator(".o_ai_image_large"))


async def test_a_parked_request_is_taken_up_by_retry(site: Site, painter: Painter) -> None:
    await site.faults({"match": "[parked]", "kind": "unauthorized", "times": 1})
    request = await painter.ask(site, "A lighthouse in a storm [parked]")
    assert request["parked"]
    async with painter.page() as page:
        await page.goto(f"{REQUESTS}/{request['id']}")
        await expect(page.locator(".alert-warning").first).to_contain_text("The orchestrator keeps this request")
        await page.get_by_role("button", name="Retry").click()
        await expect_state(page, "Completed")
        await expect_image(page.locator(".o_ai_image_large"))
    (done,) = await site.finished(request["id"])
    assert await site.paid(done["request_key"]) == 1


async def choose_filter(page: Page, name: str) -> None:
    """Choose a filter of the list; a list that is drawn anew in that moment can swallow the click."""
    menu, chosen = page.locator(".o_filter_menu"), page.locator(".o_searchview_facet", has_text=name)
    for _ in range(5):
        if not await menu.is_visible():
            await page.locator(".o_searchview_dropdown_toggler").click()
        await menu.get_by_text(name, exact=True).click()
        with contextlib.suppress(AssertionError):
            return await expect(chosen).to_be_visible(timeout=5_000)
    raise AssertionError(f"the filter {name} was never chosen")


async def test_what_has_failed_is_retried_from_the_list(site: Site, painter: Painter) -> None:
    await site.faults(
        {"match": "portrait", "kind": "refused_content", "times": 0},
        {"match": "blueprint", "kind": "unauthorized", "times": 1},
    )
    for prompt in ("Watercolour of a harbour at dawn", "A walnut desk lamp, white background, soft shadow"):
        await painter.ask(site, prompt)
    await painter.ask(site, "The blueprint of a flying boat")
    await painter.ask(site, "A portrait of a well-known actor")
    await painter.draft("A tram in the snow, 35 mm film")
    async with painter.page() as page:
        await page.goto(REQUESTS)
        await expect(card(page, "blueprint")).to_contain_text("Parked")
        await photograph(page, "kanban")
        await page.locator(".o_switch_view.o_list").click()
        await expect(page.locator(".o_data_row")).to_have_count(5)
        await photograph(page, "list")
        await choose_filter(page, "Failed")
        await expect(page.locator(".o_data_row")).to_have_count(2)
        await page.keyboard.press("Escape")
        await site.faults()
        await page.locator("thead .o_list_record_selector input").click()
        await page.locator(".o_control_panel").get_by_role("button", name="Retry").click()
        # The copy of what was refused is opened; what was parked is taken up where it stands.
        await expect_state(page, "Completed")
        await expect(page.locator("[name=prompt]")).to_contain_text("A portrait")
        await page.goto(REQUESTS)
        await expect(card(page, "blueprint")).to_contain_text("Completed", timeout=SLOWEST_MS)


async def test_the_settings_page_tests_the_connection(site: Site, page: Page) -> None:
    await page.goto(SETTINGS)
    test = page.get_by_role("button", name="Test connection")
    await expect(page.locator("[name=ai_image_api_token] input")).to_have_attribute("type", "password")
    await expect(page.locator("[name=ai_image_callback_url]")).to_contain_text("/ai_image_bridge/callback")
    await photograph(page, "settings")
    await test.click()
    await expect(page.locator(".o_notification")).to_contain_text("The orchestrator is ready")
    await site.odoo.parameters(api_token="a made-up wrong token")
    await test.click()
    await expect(page.locator(".modal")).to_contain_text("does not take the API token")


async def test_the_settings_choose_where_the_wizard_is_offered(site: Site, page: Page) -> None:
    await page.goto(SETTINGS)
    models = page.locator("[name=ai_image_model_ids]")
    await expect(models).to_contain_text("Contact")
    await models.locator("input").fill("Bank Accounts")
    await page.locator(".o-autocomplete--dropdown-item", has_text="Bank Accounts").first.click()
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".o_form_button_save:visible")).to_have_count(0, timeout=SLOWEST_MS)
    bound = await site.odoo.admin.call(
        "ir.actions.act_window", "search_read", [["res_model", "=", "ai.image.generate"]]
    )
    assert {"Contact", "Bank Accounts"} <= {each["binding_model_id"][1] for each in bound if each["binding_model_id"]}


async def test_an_ordinary_user_sees_no_settings(site: Site, painter: Painter) -> None:
    foreign = await site.ask("a painting of somebody else")
    own = await painter.draft("a painting of one's own")
    async with painter.page() as page:
        await page.goto(REQUESTS)
        await expect(card(page, "a painting of one's own")).to_be_visible()
        await expect(card(page, "a painting of somebody else")).to_have_count(0)
        await expect(page.locator(".o_menu_sections")).to_contain_text("Images")
        await expect(page.locator(".o_menu_sections")).not_to_contain_text("Configuration")
        await page.goto(f"{REQUESTS}/{own}")
        await expect(page.get_by_role("tab", name="Advanced")).to_be_visible()
        await expect(page.get_by_role("tab", name="Delivery")).to_have_count(0)
    await site.finished(foreign)
