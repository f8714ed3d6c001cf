"""What a stored generation says beside its images: what it cost, and what became of the request's parameters."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from activities.services.base import Accepted, Completed, InlineArtifact
from contracts.errors import FailureClass
from contracts.requests import Cost, GeneratedImages, ImageRequest
from contracts.spend import SpendState
from tests.activities.desk import Desk, generate_input, refused
from tests.activities.doubles import INLINE, JOB, PICTURE, REMOTE
from tests.activities.series import failure_of

PRICED: dict[str, Any] = {"price": "0.04", "currency": "EUR"}
SAID = Cost(amount=Decimal("0.031"), currency="USD")


async def generated(desk: Desk) -> GeneratedImages:
    """What is made of the request."""
    images = (await desk.generating().attempt()).generated
    assert images is not None
    return images


async def test_the_price_is_used_where_the_service_says_no_cost(desk: Desk) -> None:
    desk.settings, desk.service.submits = PRICED, [REMOTE]
    assert (await generated(desk)).cost == Cost(amount=Decimal("0.08"), currency="EUR", reported=False)


async def test_what_the_service_says_goes_before_the_price(desk: Desk) -> None:
    desk.settings = PRICED
    desk.service.submits = [Completed((InlineArtifact(PICTURE),), cost=SAID)]
    assert (await generated(desk)).cost == SAID


async def test_without_a_price_the_cost_is_not_known(desk: Desk) -> None:
    assert (await generated(desk)).cost is None


async def test_what_a_job_cost_is_kept_from_the_submit_on(desk: Desk) -> None:
    desk.service.submits, desk.service.polls = [Accepted(JOB, cost=SAID)], [REMOTE]
    await desk.generating().attempt()
    await desk.polling().attempt()
    assert (await desk.storing().attempt()).cost == SAID


async def test_what_was_changed_of_the_request_is_told(desk: Desk) -> None:
    desk.settings = {"kind": "openai"}
    desk.service.submits = [Completed((InlineArtifact(PICTURE),), warnings=("the service changed the prompt",))]
    asked = generate_input(request=ImageRequest(prompt="a harbour at dawn", steps=50))
    images = (await desk.generating(asked).attempt()).generated
    assert images is not None
    assert images.warnings is not None
    assert "steps" in images.warnings[0]
    assert images.warnings[1] == "the service changed the prompt"
    assert desk.service.submitted[0].request.steps is None


async def test_a_job_keeps_what_was_changed_of_its_request(desk: Desk) -> None:
    desk.settings, desk.service.submits, desk.service.polls = {"kind": "openai"}, [Accepted(JOB)], [INLINE]
    await desk.generating(generate_input(request=ImageRequest(prompt="a fox", steps=50))).attempt()
    await desk.polling().attempt()
    warnings = (await desk.storing().attempt()).warnings
    assert warnings is not None
    assert "steps" in warnings[0]


@pytest.mark.parametrize(
    ("kind", "asked", "told"),
    [("a1111", 7, 7), ("a1111", 0, 0), ("a1111", -1, None), ("openai", 7, None), ("a1111", None, None)],
    ids=["honoured", "nought", "random", "left out", "none"],
)
async def test_a_service_that_names_no_seed_drew_with_the_one_that_it_was_told(
    kind: str, asked: int | None, told: int | None, desk: Desk
) -> None:
    desk.settings, desk.service.submits = {"kind": kind}, [Completed((InlineArtifact(PICTURE),))]
    request = ImageRequest(prompt="a fox", seed=asked)
    images = (await desk.generating(generate_input(request=request)).attempt()).generated
    assert images is not None
    assert [image.seed for image in images.images] == [told]


async def test_a_request_that_cannot_be_honoured_is_never_sent(desk: Desk) -> None:
    desk.settings = {"kind": "openai", "on_unsupported": "error"}
    error = await desk.generating(generate_input(request=ImageRequest(prompt="a fox", steps=50))).failing()
    assert failure_of(error).failure is FailureClass.INVALID_REQUEST
    assert failure_of(error).unpaid
    assert desk.service.submitted == []
    assert (await desk.marker(), await desk.states()) == (None, [])


async def test_a_request_that_was_not_paid_for_may_be_made_by_another_service(desk: Desk) -> None:
    desk.service.submits = [refused(FailureClass.PROVIDER_OVERLOADED)]
    assert failure_of(await desk.generating().failing()).unpaid


async def test_after_a_call_of_unknown_outcome_nothing_proves_that_nothing_was_paid(desk: Desk) -> None:
    desk.settings = {"on_outcome_unknown": "retry_once"}
    desk.service.submits = [refused(FailureClass.OUTCOME_UNKNOWN), refused(FailureClass.PROVIDER_OVERLOADED)]
    tried = desk.generating()
    errors = [await tried.failing()]
    while len(desk.service.submitted) < 2:
        errors.append(await tried.failing())
    assert not any(failure_of(error).unpaid for error in errors if error.details)


@pytest.mark.parametrize("output_refused", [None, True])
async def test_a_finished_image_that_is_refused_is_paid_for(desk: Desk, output_refused: bool | None) -> None:
    refusal = refused(FailureClass.CONTENT_REJECTED)
    refusal.failure = refusal.failure.model_copy(update={"output_refused": output_refused})
    desk.service.submits = [refusal]
    for _ in range(2):
        error = await desk.generating().failing()
        assert failure_of(error).failure is FailureClass.CONTENT_REJECTED
        assert bool(failure_of(error).unpaid) is not bool(output_refused)
    assert len(desk.service.submitted) == (1 if output_refused else 2)
    last = SpendState.UNKNOWN if output_refused else SpendState.REFUSED
    assert (await desk.states())[-1] is last
