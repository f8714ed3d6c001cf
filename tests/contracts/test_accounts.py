"""The pure decisions about an account: who is next, when a circuit opens, which moments are reserved."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.accounts import Limits, Overrides, Standing
from contracts.circuits import SPREAD_S, Circuit, after_failure, claim_probe, reserve
from contracts.leases import Lease, SlotDesk, SlotState

NOW = 1000.0


def lease(name: str, tenant: str = "", priority: int = 3, expires_s: float = 60) -> Lease:
    return Lease(lease=name, workflow_id=name, run_id="r", tenant=tenant, priority=priority, expires_s=expires_s)


def desk(*waiting: Lease) -> SlotDesk:
    made = SlotDesk(SlotState())
    for one in waiting:
        made.ask(one)
    return made


def served(slots: SlotDesk, count: int, limit: int = 1, weights: dict[str, float] | None = None) -> list[Lease]:
    """The next `count` to get a slot, where the oldest holder always gives its slot back first."""
    order: list[Lease] = []
    while len(order) < count:
        order += slots.grant(limit, weights or {}, NOW)
        slots.release(slots.held[0].lease)
    return order


# --- slots ----------------------------------------------------------------------------------------------------------


def test_no_more_slots_are_held_than_the_limit() -> None:
    slots = desk(*(lease(f"l{n}") for n in range(5)))
    assert [one.lease for one in slots.grant(2, {}, NOW)] == ["l0", "l1"]
    assert slots.grant(2, {}, NOW) == ()
    slots.release("l0")
    assert [one.lease for one in slots.grant(2, {}, NOW)] == ["l2"]


def test_without_a_limit_everyone_gets_a_slot() -> None:
    assert len(desk(*(lease(f"l{n}") for n in range(5))).grant(None, {}, NOW)) == 5


def test_a_lowered_limit_takes_nothing_away_and_grants_nothing_until_it_is_met() -> None:
    slots = desk(*(lease(f"l{n}") for n in range(4)))
    slots.grant(3, {}, NOW)
    slots.release("l0")
    assert slots.grant(1, {}, NOW) == ()
    slots.release("l1")
    slots.release("l2")
    assert [one.lease for one in slots.grant(1, {}, NOW)] == ["l3"]


@pytest.mark.parametrize("limit", [1, 2, 10])
def test_a_tenant_with_500_queued_leaves_the_next_free_slot_to_another(limit: int) -> None:
    slots = desk(*(lease(f"a{n}", "a") for n in range(500)))
    served(slots, 7, limit)
    slots.ask(lease("b", "b"))
    assert "b" in [one.lease for one in served(slots, 2, limit)]


def test_two_busy_tenants_take_turns() -> None:
    slots = desk(*(lease(f"a{n}", "a") for n in range(20)), *(lease(f"b{n}", "b") for n in range(20)))
    assert Counter(one.tenant for one in served(slots, 20)) == {"a": 10, "b": 10}


def test_a_tenant_of_weight_3_gets_three_times_the_turns() -> None:
    slots = desk(*(lease(f"a{n}", "a") for n in range(40)), *(lease(f"b{n}", "b") for n in range(40)))
    assert Counter(one.tenant for one in served(slots, 20, 1, {"b": 3.0})) == {"a": 5, "b": 15}


def test_who_always_comes_back_at_once_does_not_push_the_others_aside() -> None:
    slots, tenants = desk(*(lease(f"a{n}", "a") for n in range(20))), []
    for n in range(10):
        slots.ask(lease(f"b{n}", "b"))
        (next_one,) = slots.grant(1, {}, NOW)
        tenants.append(next_one.tenant)
        slots.release(next_one.lease)
    assert Counter(tenants)["a"] == 5


def test_the_lower_priority_number_goes_first_and_equals_go_by_age() -> None:
    slots = desk(lease("bulk", priority=5), lease("first", priority=1), lease("second", priority=1), lease("usual"))
    assert [one.lease for one in served(slots, 4)] == ["first", "second", "usual", "bulk"]


def test_asking_twice_is_asking_once_and_repeats_the_grant() -> None:
    slots = desk(lease("l"), lease("l"))
    assert len(slots.waiting) == 1
    slots.grant(1, {}, NOW)
    again = slots.ask(lease("l"))
    assert again is not None
    assert again.lease == "l"
    assert not slots.waiting


def test_a_waiter_may_leave_and_an_unknown_lease_is_no_matter() -> None:
    slots = desk(lease("l"))
    assert slots.release("l")
    assert not slots.release("l")
    assert slots.grant(1, {}, NOW) == ()


def test_a_slot_that_is_not_released_expires() -> None:
    slots = desk(lease("l", expires_s=60), lease("m", expires_s=90))
    slots.grant(2, {}, NOW)
    assert slots.next_expiry == NOW + 60
    assert slots.expire(NOW + 59) == ()
    assert [one.lease for one in slots.expire(NOW + 60)] == ["l"]
    assert slots.next_expiry == NOW + 90


TENANTS = st.sampled_from("abc")
STEPS = st.lists(st.tuples(TENANTS, st.integers(1, 5)) | st.integers(0, 3), max_size=60)


@given(STEPS, st.integers(1, 3))
def test_a_new_run_goes_on_where_the_old_one_stopped(steps: list[tuple[str, int] | int], limit: int) -> None:
    whole, handed_on = desk(), desk()
    for number, step in enumerate(steps):
        handed_on = SlotDesk(SlotState.model_validate_json(handed_on.state().model_dump_json()))
        for slots in (whole, handed_on):
            if isinstance(step, tuple):
                slots.ask(lease(str(number), *step))
            elif step < len(slots.held):
                slots.release(slots.held[step].lease)
            slots.grant(limit, {}, NOW)
        assert whole.state() == handed_on.state()
        assert len(whole.held) <= limit
        assert not whole.waiting or len(whole.held) == limit


# --- circuit --------------------------------------------------------------------------------------------------------


def failed(circuit: Circuit, times: int, now: float = NOW) -> Circuit:
    for _ in range(times):
        circuit = after_failure(circuit, 3, 30.0, now)
    return circuit


def test_the_circuit_opens_at_the_failures_in_a_row_that_are_set() -> None:
    assert failed(Circuit(), 2).open_until is None
    assert failed(Circuit(), 3).open_until == NOW + 30


def test_failures_of_calls_that_were_under_way_do_not_prolong_it() -> None:
    assert failed(failed(Circuit(), 3), 5, NOW + 10) == failed(Circuit(), 3)


def test_a_circuit_of_0_failures_never_opens() -> None:
    assert after_failure(Circuit(), 0, 30.0, NOW) == Circuit()


def test_half_open_one_call_may_try_and_the_others_wait_for_it() -> None:
    opened = failed(Circuit(), 3)
    assert claim_probe(opened, 30.0, NOW + 10) == (opened, 20.0)
    probing, wait_s = claim_probe(opened, 30.0, NOW + 30)
    assert wait_s == 0
    assert claim_probe(probing, 30.0, NOW + 31)[1] > 0
    lost, again = claim_probe(probing, 30.0, NOW + 60)
    assert (again, lost.probe_until) == (0, NOW + 90)


def test_one_failed_probe_opens_it_again() -> None:
    probing, _ = claim_probe(failed(Circuit(), 3), 30.0, NOW + 30)
    assert failed(probing, 1, NOW + 31) == Circuit(failures=4, open_until=NOW + 61)


def test_a_closed_circuit_lets_every_call_through() -> None:
    assert claim_probe(Circuit(failures=2), 30.0, NOW) == (Circuit(failures=2), 0.0)


# --- moments --------------------------------------------------------------------------------------------------------


@given(
    st.floats(0.2, 200),
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 50), st.floats(0, SPREAD_S)), min_size=1, max_size=30),
)
def test_no_second_holds_more_than_the_rate_and_one(rate: float, asked: list[tuple[float, int, float]]) -> None:
    now, free, calls = NOW, 0.0, []
    for pause, count, late in asked:
        now += pause
        made = reserve(free, now, rate, count, within_s=2.0)
        free = made.next_free
        assert all(now <= moment <= now + 2 for moment in made.moments)
        calls += [moment + late for moment in made.moments]
    calls.sort()
    for start in calls:
        assert sum(start <= call < start + 1 for call in calls) <= rate + 1


def test_what_is_not_to_be_had_soon_is_not_reserved() -> None:
    made = reserve(0.0, NOW, 10.0, 100, within_s=2.0)
    assert len(made.moments) == 19
    assert reserve(made.next_free, NOW, 10.0, 1, within_s=2.0).moments == ()
    assert made.retry_in_s > 0


def test_moments_never_meet() -> None:
    first = reserve(0.0, NOW, 10.0, 5, within_s=2.0)
    second = reserve(first.next_free, NOW, 10.0, 5, within_s=2.0)
    moments = [*first.moments, *second.moments]
    assert all(later - earlier > 0.1 for earlier, later in pairwise(moments))


def test_without_a_rate_every_call_may_leave_at_once() -> None:
    assert reserve(NOW + 50, NOW, None, 3, within_s=2.0).moments == (NOW, NOW, NOW)


# --- limits ---------------------------------------------------------------------------------------------------------


def test_what_is_set_live_counts_and_the_rest_stays_as_configured() -> None:
    standing = Standing(limits=Limits(rate_per_second=10, concurrency=4), live=Overrides(rate_per_second=2))
    assert (standing.rate_per_second, standing.concurrency) == (2, 4)


def test_a_later_change_adds_to_an_earlier_one() -> None:
    first = Overrides(rate_per_second=2, weights={"a": 2.0})
    merged = first.merged(Overrides(concurrency=3, weights={"b": 4.0}))
    assert merged == Overrides(rate_per_second=2, concurrency=3, weights={"a": 2.0, "b": 4.0})
