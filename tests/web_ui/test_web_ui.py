"""Temporal's Web UI as an operator uses it, in a real browser: finding, reading, deciding."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, expect

from contracts.requests import Outcome, Stage
from operations.saved_views import COLUMNS, VIEWS, Sought, link, query_for
from tests.web_ui.operating import (
    DIALOG,
    choose_update,
    current_details,
    lists,
    open_list,
    open_request,
    open_update_form,
    set_up,
    submit,
)
from tests.web_ui.ui_site import COMPLETED, NO_CREDIT, ODOO_DOWN, OTHER, REJECTED, RETRYING, THIRD, UiSite

EVERY = {COMPLETED, NO_CREDIT, OTHER, THIRD, RETRYING, ODOO_DOWN, REJECTED}
SOUGHT = {
    "request_id": (Sought(request_id=RETRYING), {RETRYING}),
    "database": (Sought(database="demo"), EVERY),
    "another_database": (Sought(database="another"), set[str]()),
    "user": (Sought(user="7", request_id=REJECTED), {REJECTED}),
    "campaign": (Sought(campaign="spring"), EVERY),
    "service_and_stage": (Sought(service="flux", stage=Stage.DELIVERING), {ODOO_DOWN}),
    "failure_code": (Sought(code="CONTENT_REJECTED"), {REJECTED}),
    "age": (Sought(stage="generating", started_before=datetime.now(UTC) + timedelta(hours=1)), {RETRYING}),
    "too_young": (Sought(started_before=datetime.now(UTC) - timedelta(hours=1)), set[str]()),
    "quotes": (Sought(request_id='a"b\\'), set[str]()),
}


@pytest.mark.parametrize(("sought", "ids"), SOUGHT.values(), ids=SOUGHT)
async def test_a_request_is_found_by_what_is_known_of_it(site: UiSite, sought: Sought, ids: set[str]) -> None:
    found = {one.id async for one in site.client.list_workflows(query_for(sought))}
    assert found == {f"event/{name}" for name in ids}


@pytest.mark.parametrize("case", ["failure_code", "quotes"])
async def test_the_list_shows_what_a_link_asks_for(site: UiSite, page: Page, case: str) -> None:
    sought, ids = SOUGHT[case]
    await open_list(page, link(site.local.ui_url, "default", query_for(sought)))
    assert await lists(page, {f"event/{name}" for name in ids})


async def test_the_set_up_script_keeps_views_and_columns_and_may_be_repeated(site: UiSite, page: Page) -> None:
    own = link(site.local.ui_url, "default", 'OdooUser = "7"', save_as="mine")
    await open_list(page, own)
    await set_up(page, site)
    await set_up(page, site)
    headers = await page.locator("thead th").all_inner_texts()
    assert [text.strip() for text in headers if text.strip()][1:] == list(COLUMNS), "the first one selects rows"
    await page.click("[data-testid=saved-views-button]")
    for name in ("mine", *(view.name for view in VIEWS)):
        await expect(page.get_by_role("menuitem", name=name, exact=True)).to_have_count(1)
    await page.get_by_role("menuitem", name="Delivering", exact=True).click()
    assert await lists(page, {f"event/{ODOO_DOWN}"})


async def test_the_views_find_what_they_name(site: UiSite) -> None:
    counts = {view.name: (await site.client.count_workflows(view.query)).count for view in VIEWS}
    assert counts["Requests"] == len(EVERY)
    assert (counts["Generating"], counts["Delivering"], counts["Rejected"], counts["Accounts"]) == (1, 1, 1, 2)
    assert (counts["Expired"], counts["Dead letters: Odoo"], counts["Dead letters: perhaps paid"]) == (0, 0, 0)


async def test_a_request_that_waits_for_its_service_shows_the_next_attempt(site: UiSite, page: Page) -> None:
    await open_request(page, site, RETRYING, "User Metadata")
    details = current_details(page)
    await expect(details.get_by_text("Generating")).to_be_visible()
    await expect(details.get_by_text("becomes a dead letter after 50 failures or")).to_be_visible()
    await page.click("a:has-text('Pending Activities') >> visible=true")
    for fact in ("generate-image", "Attempt", "Next Retry", "Last Failure", "overloaded"):
        await expect(page.get_by_text(fact).locator("visible=true").first).to_be_visible()


async def test_the_page_of_a_request_says_how_it_ended(site: UiSite, page: Page) -> None:
    await open_request(page, site, REJECTED, "User Metadata")
    details = current_details(page)
    for words in ("Rejected", "ContentRejected", "Nothing is left to do here"):
        await expect(details.get_by_text(words).first).to_be_visible()


async def test_a_dead_letter_offers_its_updates_and_refuses_what_cannot_be(site: UiSite, page: Page) -> None:
    await open_request(page, site, NO_CREDIT, "User Metadata")
    await expect(current_details(page).get_by_text("It waits for your decision")).to_be_visible()
    await open_update_form(page)
    for name, words in {
        "redrive": "Take a dead letter up again",
        "redrive-with-edits": "with other values",
        "discard": "End a dead letter for good",
    }.items():
        option = page.locator(f"{DIALOG} li").filter(has_text=words)
        await expect(option.get_by_text(name, exact=True)).to_be_visible()
    await choose_update(page, "redrive-with-edits")
    await submit(page, '{"by": "ada", "reason": "other wording"}')
    await expect(page.locator(DIALOG).get_by_text("edits: name the fields to change")).to_be_visible()
    await submit(page, '{"by": "ada", "reason": "other wording", "edits": {"promt": "a paper boat"}}')
    await expect(page.locator(DIALOG).get_by_text("no such field: promt")).to_be_visible()
    await submit(page, '{"by": "ada", "reason": "other wording", "edits": {"prompt": "a paper boat"}}')
    await expect(page.get_by_text("Update successful").first).to_be_visible()
    await _ends(site, NO_CREDIT, Outcome.COMPLETED)


@pytest.mark.parametrize(
    ("request_id", "update", "outcome"),
    [(OTHER, "redrive", Outcome.COMPLETED), (THIRD, "discard", Outcome.DISCARDED)],
    ids=["redrive", "discard"],
)
async def test_a_dead_letter_is_decided_by_a_click(
    site: UiSite, page: Page, request_id: str, update: str, outcome: Outcome
) -> None:
    await open_request(page, site, request_id, "User Metadata")
    await open_update_form(page)
    await choose_update(page, update)
    await submit(page, '{"by": "ada", "reason": "credit added"}')
    await expect(page.get_by_text("Update successful").first).to_be_visible()
    await _ends(site, request_id, outcome)


async def _ends(site: UiSite, request_id: str, outcome: Outcome) -> None:
    await asyncio.wait_for(site.handle(request_id).result(), 30)
    result = (await site.status(request_id)).result
    assert result is not None
    assert result.outcome is outcome
