"""Between a request and a call stands the account: what it does not admit is not called, and it hears of every call."""

from __future__ import annotations

from activities.attempts import AttemptFailedError
from activities.services.base import ServiceError
from contracts.errors import FailureClass, Retry, make_failure
from tests.activities.desk import Desk, generate_input
from tests.activities.series import failure_of


async def test_what_is_not_admitted_is_not_called_costs_nothing_and_may_go_elsewhere(desk: Desk) -> None:
    circuit = make_failure(FailureClass.PROVIDER_OVERLOADED, "the circuit is open")
    desk.gate.refusal = AttemptFailedError(circuit, retry=Retry.NEVER)
    failure = failure_of(await desk.generating(generate_input(failover=True)).failing())
    assert failure.unpaid
    assert desk.gate.asked == [("flux", True)]
    assert desk.service.submitted == []
    assert await desk.spent() == []
    assert await desk.marker() is None


async def test_the_account_hears_of_success(desk: Desk) -> None:
    await desk.generating().attempt()
    assert desk.gate.heard == [("flux", None, None)]


async def test_the_account_hears_of_a_refusal_and_of_the_time_it_names(desk: Desk) -> None:
    desk.service.submits = [ServiceError(make_failure(FailureClass.RATE_LIMITED, "slowly"), 7.0)]
    await desk.generating().failing()
    assert desk.gate.heard == [("flux", FailureClass.RATE_LIMITED, 7.0)]


async def test_what_the_store_holds_needs_nobody_s_leave(desk: Desk) -> None:
    await desk.generating().attempt()
    desk.gate.refusal = AttemptFailedError(make_failure(FailureClass.RATE_LIMITED, "it cools down"))
    await desk.generating().attempt()
    assert len(desk.gate.asked) == 1
