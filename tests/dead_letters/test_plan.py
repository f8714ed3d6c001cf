"""What a plan reckons with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from contracts.dead_letter_orders import BatchOrder
from contracts.dead_letters import DeadLetter, LetterFilter
from contracts.spend import SpendEntry, SpendState, calls_of
from operations.dead_letter_plan import Outlook, ServiceOutlook, call_seconds, plan, prices

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def letters(count: int, **fields: Any) -> list[DeadLetter]:
    given = {"route": "event", "service": "flux", "step": "generate", "cause": "QuotaExhausted", "since": NOON}
    ids = [{"request_id": f"r-{number}", "workflow_id": f"w-{number}", "run_id": "x"} for number in range(count)]
    return [DeadLetter.model_validate({**given, **one, **fields}) for one in ids]


def order(**fields: Any) -> BatchOrder:
    given = {"name": "b", "kind": "redrive", "by": "ann", "reason": "r", "chosen": LetterFilter(), "pace": 10}
    return BatchOrder.model_validate({**given, **fields})


def outlook(rate: float | None = None, odoo: float | None = None, **service: Any) -> Outlook:
    known = {"price": Decimal("0.04"), "currency": "USD", "at_once": 100, "call_s": 5.0, **service}
    return Outlook({"flux": ServiceOutlook(rate_per_second=rate, **known)}, {"event": odoo})


def test_a_callback_costs_nothing() -> None:
    made = plan(letters(5, step="deliver", cause="CallbackRefused"), order(), outlook())
    assert (made.payments, made.cost, made.unpriced, made.duration_s) == (0, {}, 0, 1.5)


def test_a_new_image_costs_its_price_and_one_of_unknown_price_is_said() -> None:
    mixed = [*letters(3), *letters(2, service="other"), *letters(1, cause="JobTimedOut")]
    made = plan(mixed, order(), outlook())
    assert (made.payments, made.cost, made.unpriced) == (5, {"USD": Decimal("0.12")}, 2)
    assert made.services == {"flux": 4, "other": 2}
    assert "no call of other is known: 15 s an image are assumed" in made.notes


def test_an_unpaid_service_costs_nothing() -> None:
    made = plan(letters(3), order(), outlook(paid=False))
    assert (made.payments, made.cost, made.unpriced) == (0, {}, 0)


def test_another_service_is_the_one_that_is_paid() -> None:
    made = plan(letters(3), order(service="other", generate_again=True), outlook())
    assert (made.payments, made.cost, made.unpriced) == (3, {}, 3)


def test_the_slowest_of_all_limits_counts() -> None:
    spans = {
        "pace": plan(letters(100), order(pace=1), outlook()),
        "service flux": plan(letters(100), order(), outlook(rate=0.5)),
        "callbacks of event": plan(letters(100), order(), outlook(odoo=0.25)),
    }
    assert {name: (made.bound_by, made.duration_s) for name, made in spans.items()} == {
        "pace": ("pace", 106.0),
        "service flux": ("service flux", 206.0),
        "callbacks of event": ("callbacks of event", 406.0),
    }
    slots = plan(letters(100), order(), outlook(at_once=2))
    assert (slots.bound_by, slots.duration_s) == ("service flux", 256.0)


def test_canaries_take_as_long_as_one_more_image() -> None:
    without, canaries = plan(letters(10), order(), outlook()), plan(letters(10), order(canary=2), outlook())
    assert canaries.duration_s - without.duration_s == 6.0


def test_what_to_know_before_it_is_ordered() -> None:
    hopeless = plan(letters(2, cause="OutcomeUnknown"), order(), outlook(held_back=True))
    assert hopeless.notes == (
        "2 will fail again unless they are redriven with --generate-again",
        "flux is held back now: see orchestrator limits show",
    )
    mixed = [*letters(2, cause="JobLost"), *letters(3, cause="ConnectFailed")]
    elsewhere = plan(mixed, order(service="other"), outlook())
    note = "2 may have been paid for already: this redrive is not possible without --generate-again"
    assert (elsewhere.payments, elsewhere.notes[0]) == (3, note)
    assert note not in plan(mixed, order(service="other", generate_again=True), outlook()).notes
    callbacks = plan(letters(2, step="deliver"), order(generate_again=True), outlook())
    assert callbacks.notes == ("2 failed at the callback only: this redrive is not possible for them",)


def test_prices_and_durations_come_from_the_ledger() -> None:
    def entry(call: str, state: SpendState, after_s: float, cost: str | None) -> SpendEntry:
        return SpendEntry(
            at=NOON + timedelta(seconds=after_s),
            state=state,
            begun=NOON,
            call=call,
            number=1,
            service="flux",
            route="event",
            request_id=call,
            store_key="00",
            generation=1,
            images=2 if cost else None,
            cost=Decimal(cost) if cost else None,
            currency="USD",
        )

    calls = calls_of(
        [
            entry("a", SpendState.STORED, 10, "0.08"),
            entry("b", SpendState.STORED, 20, "0.16"),
            entry("c", SpendState.REFUSED, 1, None),
        ]
    )
    assert call_seconds(calls) == {"flux": 15.0}
    assert prices(calls) == {"flux": (Decimal("0.06"), "USD")}
