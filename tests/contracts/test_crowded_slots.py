"""What thousands of waiting requests come to: in bytes handed on, and in slots handed out at once."""

from __future__ import annotations

import uuid

from contracts.leases import PACKED_FROM, Lease, SlotDesk, SlotState

PAYLOAD_LIMIT = 2 * 2**20
CROWD = 8000


def crowd(count: int) -> tuple[Lease, ...]:
    """Requests of many users, with ids as long as they may be seen."""
    runs = [str(uuid.uuid4()) for _ in range(count)]
    return tuple(
        Lease(
            lease=f"{run}/1",
            workflow_id=f"event/{run}-{'x' * 150}",
            run_id=run,
            tenant=f"odoo-main/user-{number}",
            expires_s=7800,
        )
        for number, run in enumerate(runs)
    )


def handed_on(desk: SlotDesk) -> str:
    return desk.state().model_dump_json()


def test_a_crowd_fits_into_what_a_run_hands_on() -> None:
    desk = SlotDesk(SlotState(waiting=crowd(CROWD)))
    assert sum(len(lease.model_dump_json()) for lease in desk.waiting) > PAYLOAD_LIMIT
    assert len(handed_on(desk)) < PAYLOAD_LIMIT / 2


def test_what_is_handed_on_comes_back_whole() -> None:
    desk = SlotDesk(SlotState(waiting=crowd(1000)))
    desk.grant(7, {"odoo-main/user-3": 2.0}, 100.0)
    again = SlotDesk(SlotState.model_validate_json(handed_on(desk)))
    assert (again.held, again.waiting) == (desk.held, desk.waiting)
    assert again.grant(9, {}, 200.0) == desk.grant(9, {}, 200.0)


def test_few_are_handed_on_as_they_can_be_read() -> None:
    desk = SlotDesk(SlotState(waiting=crowd(3)))
    assert len(handed_on(desk)) < PACKED_FROM
    assert desk.state().waiting == desk.waiting


def test_no_more_slots_are_handed_out_at_once_than_can_be_told() -> None:
    desk = SlotDesk(SlotState(waiting=crowd(20)))
    first = desk.grant(None, {}, 0.0, most=8)
    assert [lease.lease for lease in (*first, *desk.grant(None, {}, 0.0, most=12))] == [x.lease for x in desk.held]
    assert (len(first), len(desk.held), desk.waiting) == (8, 20, ())
    assert SlotDesk(SlotState(waiting=crowd(3))).grant(None, {}, 0.0, most=0) == ()
