"""An Odoo that fails: the same outcome is posted until it is taken, and the image is never made again."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from contracts.errors import FailureClass
from contracts.requests import Outcome
from operations.demo.configuration import DemoRoute
from tests.flows.site import Asked, Site

PASSING = ["unavailable", "server_error", "bare_error", "rate_limited", "error_in_200", "not_found", "drop"]
LOST, REFUSED, DOWN = "odoo:drop_after_work", "odoo:always:unauthorized", "odoo:always:unavailable"
MARKS = (*(f"odoo:{fault}" for fault in PASSING), LOST, REFUSED, DOWN)

Posted = Mapping[tuple[str, str], Asked]


@pytest.mark.parametrize("fault", PASSING)
async def test_an_odoo_that_recovers_gets_the_outcome_once(posted: Posted, route: DemoRoute, fault: str) -> None:
    asked = posted[route.dialect, f"odoo:{fault}"]
    assert (await asked.result()).outcome is Outcome.COMPLETED
    (outcome,) = await asked.outcomes()
    assert (outcome["status"], outcome["attempts"]) == ("completed", 3)
    assert len(await asked.calls()) == 1


async def test_an_outcome_whose_answer_was_lost_is_applied_once(site: Site, posted: Posted, route: DemoRoute) -> None:
    asked = posted[route.dialect, LOST]
    assert (await asked.result()).outcome is Outcome.COMPLETED
    (outcome,) = await asked.outcomes()
    assert outcome["attempts"] == 3
    received = (await site.receiver.get("/received")).json()
    assert (received["conflicts"], received["duplicates"]) == (0, 0)


async def test_an_odoo_that_refuses_the_callback_makes_a_dead_letter(posted: Posted, route: DemoRoute) -> None:
    asked = posted[route.dialect, REFUSED]
    parked = await asked.parked()
    assert (parked["step"], parked["failure"]["failure"]) == ("deliver", FailureClass.CALLBACK_REFUSED)
    assert await asked.outcomes() == []
    assert len(await asked.calls()) == 1


async def test_an_odoo_that_does_not_recover_makes_a_dead_letter(posted: Posted, route: DemoRoute) -> None:
    asked = posted[route.dialect, DOWN]
    parked = await asked.parked()
    assert (parked["step"], parked["failure"]["failure"]) == ("deliver", FailureClass.CALLBACK_UNDELIVERABLE)
    assert "Given up after 3 failed attempts." in parked["failure"]["message"]
