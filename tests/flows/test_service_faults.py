"""An image service that fails: what passes is retried, what was paid is never repeated, the rest waits for a person."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from contracts.errors import RULES, FailureClass
from contracts.requests import Outcome
from operations.demo.configuration import DemoRoute
from tests.flows.site import Asked

PASSING = ["rate_limited", "server_error", "unavailable"]
FINAL = {
    "drop": FailureClass.OUTCOME_UNKNOWN,
    "drop_after_work": FailureClass.OUTCOME_UNKNOWN,
    "bare_error": FailureClass.OUTCOME_UNKNOWN,
    "bad_gateway": FailureClass.OUTCOME_UNKNOWN,
    "truncated_image": FailureClass.ARTIFACT_INVALID,
    "html_image": FailureClass.ARTIFACT_INVALID,
    "empty_image": FailureClass.PROTOCOL_ERROR,
    "no_image": FailureClass.PROTOCOL_ERROR,
    "quota": FailureClass.QUOTA_EXHAUSTED,
    "unauthorized": FailureClass.AUTHENTICATION_FAILED,
    "not_found": FailureClass.MODEL_NOT_FOUND,
}
DOWN, REFUSED = "image:always:unavailable", "image:refused_content"
MARKS = (*(f"image:{fault}" for fault in (*PASSING, *FINAL)), DOWN, REFUSED)

Posted = Mapping[tuple[str, str], Asked]


async def told(asked: Asked) -> tuple[str, str]:
    """The status and the code of the only outcome that Odoo got."""
    (outcome,) = await asked.outcomes()
    return outcome["status"], outcome["error_code"]


@pytest.mark.parametrize("fault", PASSING)
async def test_what_passes_is_waited_for(posted: Posted, route: DemoRoute, fault: str) -> None:
    asked = posted[route.dialect, f"image:{fault}"]
    assert (await asked.result()).outcome is Outcome.COMPLETED
    assert [(call["fault"], call["paid"]) for call in await asked.calls()] == [
        (fault, False),
        (fault, False),
        (None, True),
    ]
    assert len(await asked.outcomes()) == 1


@pytest.mark.parametrize("fault", FINAL)
async def test_what_a_retry_cannot_help_is_a_dead_letter_after_one_call(
    posted: Posted, route: DemoRoute, fault: str
) -> None:
    asked = posted[route.dialect, f"image:{fault}"]
    parked = await asked.parked()
    assert (parked["step"], parked["failure"]["failure"]) == ("generate", FINAL[fault])
    assert await told(asked) == ("failed", RULES[FINAL[fault]].code)
    assert len(await asked.calls()) == 1


async def test_what_does_not_pass_is_a_dead_letter_once_the_budget_is_spent(posted: Posted, route: DemoRoute) -> None:
    asked = posted[route.dialect, DOWN]
    parked = await asked.parked()
    assert parked["failure"]["failure"] == FailureClass.PROVIDER_OVERLOADED
    assert "Given up after 3 failed attempts." in parked["failure"]["message"]
    assert await told(asked) == ("failed", "AI_SERVICE_UNAVAILABLE")
    assert len(await asked.calls()) == 3


async def test_refused_content_is_told_and_is_no_dead_letter(posted: Posted, route: DemoRoute) -> None:
    asked = posted[route.dialect, REFUSED]
    assert (await asked.result()).outcome is Outcome.REJECTED
    assert await told(asked) == ("failed", "CONTENT_REJECTED")
    assert (await asked.state())["failure_code"] == "CONTENT_REJECTED"
