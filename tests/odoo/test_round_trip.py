"""From a request in Odoo to the image in Odoo, by every dialect and by our own signed endpoint."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from operations.demo.configuration import DemoRoute
from operations.odoo.bridge import ROUTES
from tests.odoo.site import Site


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: str(route.name))
async def test_a_request_becomes_an_image_at_its_record(site: Site, route: DemoRoute) -> None:
    await site.bridge.use(route)
    partner = await site.odoo.admin.create("res.partner", name="Someone")
    asked = await site.ask("a lighthouse", seed="7", res_model="res.partner", res_id=partner)
    (done,) = await site.finished(asked)
    assert (done["state"], done["dialect"], done["last_error"]) == ("completed", route.dialect, False)
    (picture,) = await site.pictures(asked)
    shown = Image.open(io.BytesIO(picture["content"]))
    assert (shown.size, picture["width"], picture["height"]) == ((64, 48), 64, 48)
    assert (picture["mimetype"], picture["attachment"]["mimetype"]) == ("image/png", "image/png")
    assert picture["size"] == len(picture["content"])
    assert await site.paid(done["request_key"]) == await site.runs(done["request_key"], route.name) == 1
    state = await site.state(done["request_key"], route.name)
    assert state["outcome"] == "completed"


async def test_what_the_service_refuses_ends_rejected(site: Site) -> None:
    await site.faults({"match": "[forbidden]", "kind": "refused_content", "times": 0})
    asked = await site.ask(mark="[forbidden]")
    (done,) = await site.finished(asked)
    assert (done["state"], done["error_code"], done["parked"]) == ("rejected", "CONTENT_REJECTED", False)
    assert not await site.pictures(asked)


async def test_a_dead_letter_is_redriven_by_the_button(site: Site) -> None:
    await site.faults({"match": "[broken]", "kind": "unauthorized", "times": 1})
    asked = await site.ask(mark="[broken]")
    (failed,) = await site.finished(asked)
    assert (failed["state"], failed["error_code"], failed["parked"]) == ("failed", "AI_CONFIGURATION_ERROR", True)
    assert await site.odoo.admin.call("ai.image.request", "action_retry", [asked]) is True
    done = await site.wait_for(asked, state="completed")
    assert not done["parked"]
    assert len(await site.pictures(asked)) == await site.paid(done["request_key"]) == 1
