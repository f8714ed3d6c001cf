"""kill -9 of the worker while it waits for images and for Odoo."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from contracts.requests import Stage
from tests.crashes.orders import (
    FREE,
    HELD,
    PAID,
    SLOW,
    Fate,
    Order,
    completed_once,
    orders,
    strange,
    unknown_once,
    until,
)
from tests.crashes.site import Site

CALLS = 10
"""Image calls at once, of the paid and of the free service each."""


@dataclass(frozen=True, slots=True)
class Wreck:
    """What a killed worker left, after its successor had settled it."""

    letters: list[Order]
    """Dead letters with an unknown outcome."""
    paid: list[Fate]
    free: list[Fate]
    delivering: list[Fate]


@pytest.fixture(scope="module")
async def wreck(site: Site) -> Wreck:
    """One kill with image calls under way, and with callbacks to a receiver that is down."""
    held = [*orders(PAID, "a fox", 2, HELD), *orders(FREE, "a fox", 2, HELD)]
    away = [*orders(PAID, "a paper boat", 3), *orders(FREE, "a paper boat", 3)]
    paid, free = orders(PAID, SLOW, CALLS), orders(FREE, SLOW, CALLS)
    await site.take_all(held)
    await site.are_being_delivered(held)
    await site.receiver_is_down(6)
    await site.take_all(away)
    await site.are_at(Stage.DELIVERING, away)
    await site.take_all([*paid, *free])
    await site.stored("marker", [*paid, *free])
    await until(site.kill("worker"), "the worker was not started again")
    await site.settled([*paid, *free, *away, *held])
    fates = await site.fates(paid)
    letters = [order for order, fate in zip(paid, fates, strict=True) if fate.state == "parked"]
    return Wreck(letters, fates, await site.fates(free), await site.fates([*away, *held]))


async def test_a_paid_call_is_never_repeated_and_waits_for_an_operator(wreck: Wreck) -> None:
    odd = strange(wreck.paid, lambda fate: completed_once(fate) or unknown_once(fate))
    assert not odd, f"neither delivered nor parked once, or paid twice: {odd}"
    assert len(wreck.letters) > 1, f"the kill hit too few calls: {wreck.paid}"


async def test_a_free_call_is_repeated_until_its_image_arrives(wreck: Wreck) -> None:
    odd = strange(wreck.free, lambda fate: (fate.runs, fate.state, fate.arrived) == (1, "completed", ("completed",)))
    assert not odd, f"not delivered exactly once: {odd}"
    assert any(fate.paid == 2 for fate in wreck.free), f"the kill hit no call: {wreck.free}"


async def test_an_outcome_that_was_being_delivered_arrives_and_is_applied_once(wreck: Wreck) -> None:
    odd = strange(wreck.delivering, completed_once)
    assert not odd, f"not delivered exactly once: {odd}"


async def test_a_plain_redrive_pays_nothing(site: Site, wreck: Wreck) -> None:
    letter = wreck.letters[0]
    (before,) = await site.fates([letter])
    await site.redrive(letter, generate_again=False)

    async def parked_again() -> bool:
        parked = (await site.status(letter)).parked
        return parked is not None and parked.parking == 2

    await until(parked_again, "the redriven request was not parked again")
    (after,) = await site.fates([letter])
    assert (after.cause, after.paid) == ("OutcomeUnknown", before.paid), f"a plain redrive called the service: {after}"


async def test_a_redrive_that_allows_it_pays_once_more_and_delivers(site: Site, wreck: Wreck) -> None:
    letter = wreck.letters[1]
    (before,) = await site.fates([letter])
    await site.redrive(letter, generate_again=True)
    await site.are_at(Stage.SETTLED, [letter])
    (after,) = await site.fates([letter])
    assert (after.runs, after.state, after.arrived) == (1, "completed", ("failed", "completed")), after
    assert after.paid == before.paid + 1, f"paid {before.paid} times before and {after.paid} times after the redrive"
