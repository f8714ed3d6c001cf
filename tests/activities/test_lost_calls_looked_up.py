"""A call whose answer was lost is looked up as it was sent: services recognize it by its id or its ring address."""

from __future__ import annotations

from dataclasses import dataclass, field

from activities.directory import Doorbell
from activities.services.base import Accepted, Call
from contracts.errors import FailureClass
from contracts.requests import Generation
from tests.activities.desk import Desk, generate_input, refused
from tests.activities.doubles import ACCEPTED, JOB, ScriptedService


@dataclass
class Remembering(ScriptedService):
    """Finds a call by nothing but the address at which it was to ring."""

    looked_for: list[Call] = field(default_factory=list)

    async def find(self, call: Call) -> Accepted | None:
        self.looked_for.append(call)
        known = {sent.webhook_url for sent in self.submitted} - {None}
        return ACCEPTED if call.webhook_url in known else None


async def test_a_lost_call_is_looked_up_by_the_address_that_it_was_to_ring_at(desk: Desk) -> None:
    (desk.root / "key").write_text("made-up-signing-key-0123456789", encoding="utf-8")
    desk.doorbell = Doorbell("https://front.example", f"file:{desk.root}/key")
    service = desk.service = Remembering(submits=[refused(FailureClass.OUTCOME_UNKNOWN)])
    desk.settings = {"webhook": True}
    order = generate_input(workflow_id="event/request-7")
    await desk.generating(order).failing()
    assert await desk.generating(order).attempt() == Generation(job=JOB)
    assert len(service.submitted) == 1


async def test_what_was_never_to_ring_is_looked_up_without_an_address(desk: Desk) -> None:
    service = desk.service = Remembering(submits=[refused(FailureClass.OUTCOME_UNKNOWN)])
    await desk.generating().failing()
    await desk.generating().failing()
    assert [call.webhook_url for call in service.looked_for] == [None]
