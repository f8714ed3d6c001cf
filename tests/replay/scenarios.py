"""What is recorded: one way through the workflow each, by the means that Odoo and operators have.

Each scenario has its own request id, takes a running installation and returns the workflow once it has ended.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from temporalio.client import WorkflowFailureError

from contracts import names
from contracts.decisions import Discard, Redrive
from contracts.dialects import DIALECTS
from contracts.errors import FailureClass
from contracts.identity import content_digest
from contracts.requests import Outcome
from operations.local.faults import FaultKind, FaultRule
from runtime.updates import execute_update
from tests.replay.job_service import UNFINISHED, UNTIL_RUNG
from tests.replay.site import RECORD, Handle, Site, at_work, logged

Scenario = Callable[[Site, str], Awaitable[Handle]]

IMAGE_FAULTS = (
    FaultRule(match="[failing twice]", kind=FaultKind.SERVER_ERROR, times=2),
    FaultRule(match="[rate limited twice]", kind=FaultKind.RATE_LIMITED, times=2, retry_after=1),
    FaultRule(match="[forbidden]", kind=FaultKind.REFUSED_CONTENT, times=0),
    FaultRule(match="[no credit once]", kind=FaultKind.QUOTA, times=1),
    FaultRule(match="[no credit twice]", kind=FaultKind.QUOTA, times=2),
    FaultRule(match="[answer lost]", kind=FaultKind.DROP_AFTER_WORK, times=0),
    FaultRule(match="[hanging]", kind=FaultKind.HANG, times=0),
)
"""Matched with the prompt."""
CALLBACK_FAULTS = (
    FaultRule(match="odoo-down-once", kind=FaultKind.UNAVAILABLE, times=1, retry_after=1),
    FaultRule(match="odoo-refuses-once", kind=FaultKind.UNAUTHORIZED, times=1),
    FaultRule(match="odoo-hangs-once", kind=FaultKind.HANG, times=1),
)
"""Matched with the body, so with the request id."""

NO_CREDIT = "a red bicycle [no credit once]"
TOLD = "Odoo took the callback"
PARKED = "parked as dead letter"
BY = "operator"


async def success(site: Site, request_id: str) -> Handle:
    return await _settled(await site.ask(request_id), Outcome.COMPLETED)


async def success_url(site: Site, request_id: str) -> Handle:
    return await _settled(await site.ask(request_id, route="url"), Outcome.COMPLETED)


async def retries_then_success(site: Site, request_id: str) -> Handle:
    return await _settled(await site.ask(request_id, "a red bicycle [failing twice]"), Outcome.COMPLETED)


async def rate_limited(site: Site, request_id: str) -> Handle:
    return await _settled(await site.ask(request_id, "a red bicycle [rate limited twice]"), Outcome.COMPLETED)


async def rejected_body(site: Site, request_id: str) -> Handle:
    return await _settled(await site.ask(request_id, None), Outcome.REJECTED)


async def rejected_content(site: Site, request_id: str) -> Handle:
    return await _settled(await site.ask(request_id, "[forbidden]"), Outcome.REJECTED)


async def dead_letter_redriven(site: Site, request_id: str) -> Handle:
    handle = await _told(await site.ask(request_id, NO_CREDIT))
    await site.operate(handle, "redrive", by=BY, reason="credit added")
    return await _settled(handle, Outcome.COMPLETED)


async def dead_letter_redriven_by_signal_with_edits(site: Site, request_id: str) -> Handle:
    handle = await _told(await site.ask(request_id, NO_CREDIT))
    await handle.signal(names.REDRIVE, Redrive(by=BY, reason="simpler", edits={"prompt": "a blue car", "seed": 8}))
    return await _settled(handle, Outcome.COMPLETED)


async def dead_letter_redriven_twice(site: Site, request_id: str) -> Handle:
    handle = await _told(await site.ask(request_id, "a red bicycle [no credit twice]"))
    await handle.signal(names.REDRIVE, Redrive(by=BY, reason="another parking is meant: void", parking=9))
    await site.operate(handle, "redrive", by=BY, reason="credit added")
    await _told(handle, parking=2)
    await site.operate(handle, "redrive", by=BY, reason="enough credit added")
    return await _settled(handle, Outcome.COMPLETED)


async def redrive_other_service(site: Site, request_id: str) -> Handle:
    handle = await _told(await site.ask(request_id, NO_CREDIT))
    await site.operate(handle, "redrive", by=BY, reason="try elsewhere", service="openai")
    return await _settled(handle, Outcome.COMPLETED)


async def redriven_before_odoo_was_told(site: Site, request_id: str) -> Handle:
    handle = await site.ask(f"{request_id}-odoo-hangs-once", NO_CREDIT)
    await at_work(handle, names.DELIVER)
    await site.operate(handle, "redrive", by=BY, reason="credit added")
    return await _settled(handle, Outcome.COMPLETED)


async def callback_outage_then_success(site: Site, request_id: str) -> Handle:
    return await _settled(await site.ask(f"{request_id}-odoo-down-once"), Outcome.COMPLETED)


async def callback_dead_letter_redriven(site: Site, request_id: str) -> Handle:
    handle = await site.ask(f"{request_id}-odoo-refuses-once")
    await logged(handle, PARKED)
    await site.operate(handle, "redrive", by=BY, reason="secret corrected")
    return await _settled(handle, Outcome.COMPLETED)


async def callback_dead_letter_expired(site: Site, request_id: str) -> Handle:
    return await _expired(await site.ask(f"{request_id}-odoo-refuses-once", route="expiring"))


async def discard(site: Site, request_id: str) -> Handle:
    handle = await _told(await site.ask(request_id, NO_CREDIT))
    await execute_update(handle, names.DISCARD, [Discard(by=BY, reason="not wanted any more")])
    return await _settled(handle, Outcome.DISCARDED)


async def discard_by_signal(site: Site, request_id: str) -> Handle:
    handle = await _told(await site.ask(request_id, NO_CREDIT))
    await handle.signal(names.DISCARD, Discard(by=BY, reason="not wanted any more"))
    return await _settled(handle, Outcome.DISCARDED)


async def signal_that_pays_unsaid(site: Site, request_id: str) -> Handle:
    handle = await _told(await site.ask(request_id, "a red bicycle [answer lost]"))
    await handle.signal(names.REDRIVE, Redrive(by=BY, reason="try elsewhere", service="openai"))
    await logged(handle, "a signal was void: an image may have been paid for already")
    await handle.signal(names.DISCARD, Discard(by=BY, reason="not wanted any more"))
    return await _settled(handle, Outcome.DISCARDED)


async def cancel_generating(site: Site, request_id: str) -> Handle:
    handle = await site.ask(request_id, "[hanging]")
    await at_work(handle, names.GENERATE)
    await site.operate(handle, "cancel")
    return await _settled(handle, Outcome.CANCELLED)


async def cancel_delivering(site: Site, request_id: str) -> Handle:
    handle = await site.ask(f"{request_id}-odoo-hangs-once", route="limited")
    await at_work(handle, names.DELIVER)
    await site.operate(handle, "cancel")
    return await _settled(handle, Outcome.CANCELLED)


async def cancel_parked(site: Site, request_id: str) -> Handle:
    handle = await _told(await site.ask(request_id, NO_CREDIT))
    await site.operate(handle, "cancel")
    return await _settled(handle, Outcome.CANCELLED)


async def expired(site: Site, request_id: str) -> Handle:
    return await _expired(await site.ask(request_id, NO_CREDIT, "expiring"))


async def duplicate(site: Site, request_id: str) -> Handle:
    first = await site.post(request_id, "a red bicycle")
    handle = await site.ask(request_id, "a red bicycle")
    assert (await site.post(request_id, "a red bicycle")).content == first.content
    asked = DIALECTS["event"].parse(json.loads(first.request.content))
    memo = await (await handle.describe()).memo()
    assert memo[names.MEMO_DIGEST] == content_digest(asked.model_dump(mode="json"))
    return await _settled(handle, Outcome.COMPLETED)


async def no_quick_callback(site: Site, request_id: str) -> Handle:
    return await _settled(await site.ask(request_id, route="limited"), Outcome.COMPLETED)


async def job_collected(site: Site, request_id: str) -> Handle:
    return await _settled(await site.ask(request_id, route="jobs"), Outcome.COMPLETED)


async def job_cancelled(site: Site, request_id: str) -> Handle:
    handle = await site.ask(request_id, f"a red bicycle {UNFINISHED}", "jobs")
    await at_work(handle, names.POLL)
    await site.operate(handle, "cancel")
    return await _settled(handle, Outcome.CANCELLED)


async def job_rung(site: Site, request_id: str) -> Handle:
    handle = await site.ask(request_id, f"a red bicycle {UNTIL_RUNG}", "jobs")
    await at_work(handle, names.POLL)
    await handle.signal(names.JOB_FINISHED)
    return await _settled(handle, Outcome.COMPLETED)


async def service_stood_in_for(site: Site, request_id: str) -> Handle:
    return await _settled(await site.ask(request_id, route="failing_over"), Outcome.COMPLETED)


async def slot_leased(site: Site, request_id: str) -> Handle:
    return await _settled(await site.ask(request_id, route="narrow"), Outcome.COMPLETED)


async def record_drawn(site: Site, _request_id: str) -> Handle:
    return await _settled(await site.ask_by_record(RECORD), Outcome.COMPLETED)


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        scenario.__name__: scenario
        for scenario in (
            success,
            success_url,
            retries_then_success,
            rate_limited,
            rejected_body,
            rejected_content,
            dead_letter_redriven,
            dead_letter_redriven_by_signal_with_edits,
            dead_letter_redriven_twice,
            redrive_other_service,
            redriven_before_odoo_was_told,
            callback_outage_then_success,
            callback_dead_letter_redriven,
            callback_dead_letter_expired,
            discard,
            discard_by_signal,
            signal_that_pays_unsaid,
            cancel_generating,
            cancel_delivering,
            cancel_parked,
            expired,
            duplicate,
            no_quick_callback,
            job_collected,
            job_cancelled,
            job_rung,
            service_stood_in_for,
            slot_leased,
            record_drawn,
        )
    }
)


async def _told(handle: Handle, parking: int = 1) -> Handle:
    """Wait until the request is parked and Odoo knows: a decision before that is a scenario of its own."""
    await logged(handle, f"{PARKED} {parking}")
    await logged(handle, TOLD, parking)
    return handle


async def _settled(handle: Handle, outcome: Outcome) -> Handle:
    assert (await handle.result()).outcome is outcome
    return handle


async def _expired(handle: Handle) -> Handle:
    try:
        result = await handle.result()
    except WorkflowFailureError as error:
        if getattr(error.cause, "type", None) == FailureClass.EXPIRED:
            return handle
        raise
    raise AssertionError(f"{handle.id} was to expire, but is {result.outcome}")
