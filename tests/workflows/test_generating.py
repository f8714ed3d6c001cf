"""Where images are made: the next service, another seed, a leased slot, a job's bell, a record that is read first."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from contracts import names, search_attributes
from contracts.errors import FailureClass, make_failure
from contracts.requests import (
    Generation,
    ImageGenerationResult,
    ImageRequest,
    JobFinished,
    Outcome,
    RecordRead,
    RecordReference,
)
from tests.workflows.harness import JOB, MADE, Bench, Doubles, Handle, bench, failed, parked, policies, start_account
from workflows.generating import LOST_JOBS

RECORD = RecordReference(model="res.partner", record_id=7, action="Draw(#1)")


def refused(failure: FailureClass, **detail: Any) -> ApplicationError:
    """How `generate-image` gives up, with what it knows of the payment."""
    what = make_failure(failure, "refused", **detail)
    return ApplicationError(what.message, what, None, type=failure, non_retryable=True)


async def served_by(handle: Handle) -> str | None:
    """The service that the search attribute names."""
    return (await handle.describe()).typed_search_attributes.get(search_attributes.SERVICE)


# --- failover -------------------------------------------------------------------------------------------------------


async def test_an_overloaded_service_is_stood_in_for(temporal_client: Client) -> None:
    doubles = Doubles(generate=[refused(FailureClass.PROVIDER_OVERLOADED, unpaid=True), MADE])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start(failover=(here.other_service,), policies=policies(failover_attempts=2))
        result = await handle.result()
        assert result.generated is not None
        assert result.generated.tried == (here.service,)
        assert [call.service for call in doubles.generated] == [here.service, here.other_service]
        assert [call.failover for call in doubles.generated] == [True, False]
        assert [call.policy.attempts for call in doubles.generated] == [2, 3]
        assert {call.store_key for call in doubles.generated} == {"00" * 32}, "one generation, one payment"
        assert await served_by(handle) == here.other_service


@pytest.mark.parametrize(
    "failure",
    [
        refused(FailureClass.PROVIDER_OVERLOADED),
        refused(FailureClass.OUTCOME_UNKNOWN),
        refused(FailureClass.QUOTA_EXHAUSTED, unpaid=True),
        refused(FailureClass.RATE_LIMITED, unpaid=True),
    ],
    ids=["perhaps paid", "unknown", "quota", "rate limited"],
)
async def test_what_is_no_proved_overload_does_not_fail_over(temporal_client: Client, failure: Exception) -> None:
    doubles = Doubles(generate=[failure])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start(failover=(here.other_service,))
        await parked(handle)
        assert {call.service for call in doubles.generated} == {here.service}


@pytest.mark.parametrize("failure", [FailureClass.CONTENT_REJECTED, FailureClass.INVALID_REQUEST])
async def test_refused_requests_never_fail_over(temporal_client: Client, failure: FailureClass) -> None:
    doubles = Doubles(generate=[refused(failure, unpaid=True)])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start(failover=(here.other_service,))
        assert (await handle.result()).outcome is Outcome.REJECTED
        assert len(doubles.generated) == 1


async def test_a_service_that_was_perhaps_paid_is_asked_again_with_all_patience(temporal_client: Client) -> None:
    doubles = Doubles(generate=[refused(FailureClass.PROVIDER_OVERLOADED), MADE])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start(failover=(here.other_service,), policies=policies(failover_attempts=1))
        assert (await handle.result()).outcome is Outcome.COMPLETED
        assert [call.service for call in doubles.generated] == [here.service, here.service]
        assert [call.policy.attempts for call in doubles.generated] == [1, 3]


async def test_where_nobody_can_stand_in_the_last_failure_parks(temporal_client: Client) -> None:
    doubles = Doubles(generate=[refused(FailureClass.CONNECT_FAILED, unpaid=True)])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start(failover=(here.other_service,))
        assert (await parked(handle)).failure is FailureClass.CONNECT_FAILED
        assert [call.service for call in doubles.generated] == [here.service, here.other_service]


# --- another seed ---------------------------------------------------------------------------------------------------


async def test_a_refused_image_is_made_again_with_another_seed_as_often_as_allowed(temporal_client: Client) -> None:
    doubles = Doubles(generate=[refused(FailureClass.CONTENT_REJECTED, output_refused=True)])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start(policies=policies(reseeds=2))
        assert (await handle.result()).outcome is Outcome.REJECTED
        assert [call.generation for call in doubles.generated] == [1, 2, 3], "each is paid for anew, and counted"
        assert doubles.generated[0].request.seed == 7
        assert len({call.request.seed for call in doubles.generated}) == 3


async def test_a_refused_prompt_is_not_tried_again(temporal_client: Client) -> None:
    doubles = Doubles(generate=[refused(FailureClass.CONTENT_REJECTED)])
    async with bench(temporal_client, doubles) as here:
        assert (await (await here.start(policies=policies(reseeds=2))).result()).outcome is Outcome.REJECTED
        assert len(doubles.generated) == 1


# --- slots ----------------------------------------------------------------------------------------------------------


async def test_a_leased_service_is_called_by_no_more_than_its_slots_allow(temporal_client: Client) -> None:
    doubles = Doubles(hold=names.GENERATE)
    async with bench(temporal_client, doubles) as here:
        await start_account(here, concurrency=1)
        first = await started(here, "first")
        while not doubles.generated:
            await asyncio.sleep(0.02)
        second = await started(here, "second")
        while (await waiting(here)) == 0:
            await asyncio.sleep(0.05)
        assert len(doubles.generated) == 1
        doubles.release.set()
        assert (await first.result()).outcome is (await second.result()).outcome is Outcome.COMPLETED
        assert await waiting(here) == 0


async def test_who_is_cancelled_in_the_queue_leaves_it(temporal_client: Client) -> None:
    doubles = Doubles(hold=names.GENERATE)
    async with bench(temporal_client, doubles) as here:
        await start_account(here, concurrency=1)
        first = await started(here, "first")
        while not doubles.generated:
            await asyncio.sleep(0.02)
        second = await started(here, "second")
        while (await waiting(here)) == 0:
            await asyncio.sleep(0.05)
        await second.cancel()
        assert (await second.result()).outcome is Outcome.CANCELLED
        assert await waiting(here) == 0
        doubles.release.set()
        assert (await first.result()).outcome is Outcome.COMPLETED


async def started(here: Bench, name: str) -> Handle:
    """A request of its own id that needs a slot."""
    order = here.order(leased=(here.service,), tenant=name)
    return await here.client.start_workflow(
        names.WORKFLOW, order, id=f"event/{name}-{here.tag}", task_queue=here.tag, result_type=ImageGenerationResult
    )


async def waiting(here: Bench) -> int:
    """How many wait for a slot."""
    handle = here.client.get_workflow_handle(names.account_id(here.service))
    answer: dict[str, Any] = await handle.query(names.STATUS)
    return int(answer["waiting"])


# --- jobs -----------------------------------------------------------------------------------------------------------


async def test_a_service_s_webhook_cuts_the_wait_short(temporal_client: Client) -> None:
    doubles = Doubles(generate=[Generation(job=JOB)], hold=names.POLL)
    async with bench(temporal_client, doubles) as here:
        handle = await here.start()
        while not doubles.polled:
            await asyncio.sleep(0.02)
        doubles.hold = None
        await handle.signal(names.JOB_FINISHED)
        assert (await handle.result()).outcome is Outcome.COMPLETED
        assert len(doubles.polled) == 2


async def test_a_failing_poll_never_asks_another_service_and_has_all_patience(temporal_client: Client) -> None:
    down = failed(FailureClass.CONNECT_FAILED)
    doubles = Doubles(generate=[Generation(job=JOB)], poll=[down])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start(failover=(here.other_service,), policies=policies(failover_attempts=1))
        assert (await parked(handle)).failure is FailureClass.CONNECT_FAILED
        assert [call.service for call in doubles.generated] == [here.service]
        assert [job.call.policy.attempts for job in doubles.polled] == [3]


async def test_a_lost_job_is_followed_by_another_call_where_the_policy_allows_one(temporal_client: Client) -> None:
    lost = refused(FailureClass.JOB_LOST, lost_call=1)
    doubles = Doubles(generate=[Generation(job=JOB)], poll=[lost, JobFinished(images=1)])
    async with bench(temporal_client, doubles) as here:
        assert (await (await here.start()).result()).outcome is Outcome.COMPLETED
        assert [call.lost_call for call in doubles.generated] == [None, 1]


async def test_jobs_that_are_lost_without_end_are_a_dead_letter(temporal_client: Client) -> None:
    doubles = Doubles(generate=[Generation(job=JOB)], poll=[refused(FailureClass.JOB_LOST, lost_call=1)])
    async with bench(temporal_client, doubles) as here:
        assert (await parked(await here.start())).failure is FailureClass.JOB_LOST
        assert len(doubles.generated) == LOST_JOBS + 1


async def test_a_lost_job_without_such_a_policy_is_a_dead_letter_at_once(temporal_client: Client) -> None:
    doubles = Doubles(generate=[Generation(job=JOB)], poll=[refused(FailureClass.JOB_LOST)])
    async with bench(temporal_client, doubles) as here:
        assert (await parked(await here.start())).failure is FailureClass.JOB_LOST
        assert len(doubles.generated) == 1


async def test_a_job_that_never_ran_lets_another_service_be_asked(temporal_client: Client) -> None:
    void = refused(FailureClass.PROVIDER_OVERLOADED, unpaid=True)
    doubles = Doubles(generate=[Generation(job=JOB), MADE], poll=[void])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start(failover=(here.other_service,))
        assert (await handle.result()).outcome is Outcome.COMPLETED
        assert [call.service for call in doubles.generated] == [here.service, here.other_service]
        assert [call.void_job for call in doubles.generated] == [None, JOB.job_id]


async def test_a_job_that_never_ran_is_asked_for_anew_by_a_plain_redrive(temporal_client: Client) -> None:
    void = refused(FailureClass.PROVIDER_OVERLOADED, unpaid=True)
    doubles = Doubles(generate=[Generation(job=JOB), MADE], poll=[void])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start()
        await parked(handle)
        await handle.execute_update(names.REDRIVE, {"by": "me", "reason": "it has runners again"})
        assert (await handle.result()).outcome is Outcome.COMPLETED
        assert [(call.generation, call.void_job) for call in doubles.generated] == [(1, None), (1, JOB.job_id)]


# --- records --------------------------------------------------------------------------------------------------------


async def test_what_the_webhook_lacks_is_read_from_the_record_and_the_outcome_goes_there(
    temporal_client: Client,
) -> None:
    doubles = Doubles(read=[RecordRead(request=ImageRequest(prompt="a chair"))])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start(request=None, record=RECORD)
        assert (await handle.result()).outcome is Outcome.COMPLETED
        assert doubles.generated[0].request.prompt == "a chair"
        assert [call.record for call in doubles.delivered] == [RECORD]
        assert [call.quick for call in doubles.delivered] == [False]


async def test_a_record_without_a_prompt_is_rejected(temporal_client: Client) -> None:
    doubles = Doubles(read=[RecordRead(problem="x_prompt is empty")])
    async with bench(temporal_client, doubles) as here:
        result = await (await here.start(request=None, record=RECORD)).result()
        assert result.outcome is Outcome.REJECTED
        assert result.failure is not None
        assert "x_prompt" in result.failure.message
        assert not doubles.generated


async def test_an_odoo_that_cannot_be_read_parks_and_a_redrive_reads_again(temporal_client: Client) -> None:
    down = failed(FailureClass.CALLBACK_UNDELIVERABLE)
    doubles = Doubles(read=[down, RecordRead(request=ImageRequest(prompt="a chair"))])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start(request=None, record=RECORD)
        await parked(handle)
        await handle.execute_update(names.REDRIVE, {"by": "me", "reason": "Odoo is back"})
        assert (await handle.result()).outcome is Outcome.COMPLETED
        assert len(doubles.read_records) == 2


# --- callbacks ------------------------------------------------------------------------------------------------------


async def test_a_failure_that_is_still_being_told_ends_before_the_redrive_goes_on(temporal_client: Client) -> None:
    doubles = Doubles(generate=[failed(FailureClass.QUOTA_EXHAUSTED), MADE], hold=names.DELIVER)
    async with bench(temporal_client, doubles) as here:
        handle = await here.start(policies=policies(quick_callback=False))
        await parked(handle)
        while not doubles.delivered:
            await asyncio.sleep(0.02)
        await handle.execute_update(names.REDRIVE, {"by": "me", "reason": "credit added"})
        while len(doubles.generated) < 2:
            await asyncio.sleep(0.02)
        # The post of the failure heard of its cancellation and ended; only then was the image made.
        assert doubles.ended == 1
        doubles.release.set()
        assert (await handle.result()).outcome is Outcome.COMPLETED
