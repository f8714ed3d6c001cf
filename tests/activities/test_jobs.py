from __future__ import annotations

import asyncio

import pytest
from temporalio.activity import ActivityCancellationDetails
from temporalio.testing import ActivityEnvironment

from activities.directory import Doorbell
from activities.services.base import Accepted, Completed, InlineArtifact, Pending, RemoteArtifact
from contracts.errors import FailureClass
from contracts.requests import Generation, JobFinished, JobReference
from contracts.spend import SpendState
from runtime.blobs import LocalBlobStore
from runtime.ring_urls import Ring, read_ring
from tests.activities.desk import JOB_INPUT, Desk, generate_input, refused
from tests.activities.doubles import (
    ACCEPTED,
    INLINE,
    JOB,
    OTHER_PICTURE,
    PICTURE,
    REMOTE,
    FailingBlobStore,
    Fault,
)
from tests.activities.paying import never_ran
from tests.activities.series import Series, failure_of

FRESH = Completed((RemoteArtifact(url="https://images.example/2"),))
GONE = refused(FailureClass.ARTIFACT_EXPIRED)


async def test_a_job_is_waited_for_and_then_its_images_are_stored(desk: Desk) -> None:
    desk.service.submits, desk.service.polls = [ACCEPTED], [Pending(), REMOTE]
    assert await desk.generating().attempt() == Generation(job=JOB)
    long = JOB_INPUT.model_copy(
        update={"call": generate_input(policy=generate_input().policy.model_copy(update={"timeout_s": 30}))}
    )
    assert await desk.polling(long).attempt() == JobFinished(images=2)
    assert desk.service.downloaded == []
    assert await desk.images(await desk.storing().attempt()) == [PICTURE, OTHER_PICTURE]
    assert desk.service.polled == [JOB, JOB]


async def test_a_finished_job_is_not_polled_again(desk: Desk) -> None:
    desk.service.submits, desk.service.polls = [ACCEPTED], [REMOTE]
    await desk.generating().attempt()
    first = await desk.polling().attempt()
    assert await desk.polling().attempt() == first
    stored = await desk.storing().attempt()
    assert await desk.polling().attempt() == first
    assert await desk.storing().attempt() == stored
    assert (len(desk.service.polled), len(desk.service.downloaded)) == (1, 2)


async def test_images_that_come_with_the_poll_are_stored_at_once(desk: Desk) -> None:
    desk.service.submits, desk.service.polls = [ACCEPTED], [INLINE]
    await desk.generating().attempt()
    assert await desk.polling().attempt() == JobFinished(images=1)
    stored = await desk.storing().attempt()
    assert await desk.images(stored) == [PICTURE]
    assert len(desk.service.polled) == 1
    assert (await desk.generating().attempt()).generated == stored


async def test_an_image_that_the_poll_brings_damaged_is_polled_for_again(desk: Desk) -> None:
    desk.service.polls = [Completed((InlineArtifact(PICTURE[:40]),)), INLINE]
    tried = desk.polling()
    assert (await tried.failing()).type == "ArtifactInvalid"
    assert await tried.attempt() == JobFinished(images=1)


async def test_an_address_that_has_expired_is_asked_for_anew(desk: Desk) -> None:
    desk.service.files = {**desk.service.files, "https://images.example/1": [GONE]}
    desk.service.submits, desk.service.polls = [ACCEPTED], [REMOTE, FRESH]
    await desk.generating().attempt()
    await desk.polling().attempt()
    assert await desk.images(await desk.storing().attempt()) == [OTHER_PICTURE]
    assert len(desk.service.polled) == 2
    assert len(desk.service.submitted) == 1


@pytest.mark.parametrize("second", [REMOTE, Pending(), refused(FailureClass.JOB_LOST)])
async def test_an_image_that_is_gone_for_good_is_final(desk: Desk, second: Completed | Pending | Exception) -> None:
    desk.service.files = {**desk.service.files, "https://images.example/1": [GONE]}
    desk.service.polls = [REMOTE, second]
    await desk.polling().attempt()
    error = await desk.storing().failing()
    assert error.non_retryable
    assert failure_of(error).failure is FailureClass.ARTIFACT_EXPIRED
    assert desk.service.submitted == []


async def test_a_poll_for_a_fresh_address_that_fails_for_a_moment_is_repeated(desk: Desk) -> None:
    desk.service.files = {**desk.service.files, "https://images.example/1": [GONE]}
    desk.service.polls = [REMOTE, refused(FailureClass.PROVIDER_INTERNAL), FRESH]
    await desk.polling().attempt()
    tried = desk.storing()
    assert (await tried.failing()).type == "ProviderInternal"
    assert await desk.images(await tried.attempt()) == [OTHER_PICTURE]


async def test_images_are_stored_even_where_the_store_has_lost_what_it_knew_of_the_job(desk: Desk) -> None:
    desk.service.polls = [REMOTE]
    assert await desk.images(await desk.storing().attempt()) == [PICTURE, OTHER_PICTURE]


async def test_a_job_that_is_not_finished_in_time_is_left_alone(desk: Desk) -> None:
    desk.service.polls = [Pending()]
    error = await desk.polling().failing()
    assert error.non_retryable
    assert failure_of(error).failure is FailureClass.JOB_TIMED_OUT
    assert "job-1" in failure_of(error).message


async def test_a_lost_job_is_final(desk: Desk) -> None:
    desk.service.polls = [refused(FailureClass.JOB_LOST)]
    assert (await desk.polling().failing()).non_retryable


async def test_a_job_that_never_ran_costs_nothing_and_another_call_may_stand_in_its_place(desk: Desk) -> None:
    other = Accepted(JobReference(service="flux", job_id="job-2"))
    desk.service.submits, desk.service.polls = [ACCEPTED, other], [never_ran()]
    await desk.generating().attempt()
    error = await desk.polling().failing()
    assert (error.non_retryable, failure_of(error).unpaid) == (True, True)
    assert [call.standing for call in await desk.spent()] == ["unpaid"]
    # Whoever has not heard of it is told of the same job; nobody pays on a mere guess.
    assert await desk.generating().attempt() == Generation(job=JOB)
    assert await desk.generating(generate_input(void_job="job-1")).attempt() == Generation(job=other.job)
    assert await desk.generating(generate_input(void_job="job-1")).attempt() == Generation(job=other.job)
    assert len(desk.service.submitted) == 2
    assert sorted(call.standing for call in await desk.spent()) == ["paid", "unpaid"]


async def test_a_job_that_never_ran_proves_nothing_about_the_call_before_it(desk: Desk) -> None:
    desk.settings = {"on_outcome_unknown": "retry_once"}
    desk.service.submits = [refused(FailureClass.OUTCOME_UNKNOWN), ACCEPTED]
    desk.service.polls = [never_ran()]
    tried = desk.generating()
    await tried.failing()
    assert await tried.attempt() == Generation(job=JOB)
    assert failure_of(await desk.polling().failing()).unpaid is False
    assert sorted(call.standing for call in await desk.spent()) == ["unknown", "unpaid"]


@pytest.mark.parametrize(
    ("policy", "again"), [("fail", []), ("retry_once", [1]), ("always", [1, 2])], ids=["fail", "retry_once", "always"]
)
async def test_a_lost_job_is_followed_by_as_many_calls_as_the_policy_allows(
    policy: str, again: list[int], desk: Desk
) -> None:
    # The same id each time, as where we choose it.
    desk.settings, desk.service.submits = {"on_outcome_unknown": policy}, [ACCEPTED]
    desk.service.polls = [refused(FailureClass.JOB_LOST)]
    await desk.generating().attempt()
    for lost in again:
        assert failure_of(await desk.polling().failing()).lost_call == lost
        call = generate_input(lost_call=lost)
        # An attempt whose result got lost finds the new job, and does not pay for a third.
        assert await desk.generating(call).attempt() == await desk.generating(call).attempt() == Generation(job=JOB)
        assert len(desk.service.submitted) == lost + 1
    if policy != "always":
        assert failure_of(await desk.polling().failing()).lost_call is None
        assert await desk.generating(generate_input(lost_call=9)).attempt() == Generation(job=JOB)
        assert len(desk.service.submitted) == len(again) + 1
    assert [call.standing for call in await desk.spent()] == ["paid"] * len(desk.service.submitted)


async def test_a_failed_look_at_a_job_is_repeated(desk: Desk) -> None:
    desk.service.polls = [refused(FailureClass.PROVIDER_INTERNAL), REMOTE]
    tried = desk.polling()
    assert not (await tried.failing()).non_retryable
    assert await tried.attempt() == JobFinished(images=2)


BROKEN = (FailureClass.CONNECT_FAILED, FailureClass.PROVIDER_OVERLOADED, FailureClass.PROVIDER_INTERNAL)


@pytest.mark.parametrize("failure", BROKEN)
async def test_only_a_call_that_was_refused_proves_that_nothing_was_made(desk: Desk, failure: FailureClass) -> None:
    desk.service.submits, desk.service.polls = [refused(failure), ACCEPTED], [refused(failure)]
    tried = desk.generating()
    refusal = await tried.failing()
    await tried.attempt()
    assert [failure_of(error).unpaid for error in (refusal, await desk.polling().failing())] == [True, False]


@pytest.mark.parametrize("failure", BROKEN)
async def test_an_image_that_cannot_be_fetched_was_made_all_the_same(desk: Desk, failure: FailureClass) -> None:
    desk.service.submits = [REMOTE]
    desk.service.files = {**desk.service.files, "https://images.example/1": [refused(failure)]}
    tried = desk.generating()
    assert [failure_of(await tried.failing()).unpaid for _ in range(2)] == [False, False]
    assert len(desk.service.submitted) == 1


async def test_older_requests_wait_and_store_in_one_step(desk: Desk) -> None:
    desk.service.submits, desk.service.polls = [ACCEPTED], [REMOTE]
    desk.service.files = {**desk.service.files, "https://images.example/2": [b"<html>", OTHER_PICTURE]}
    await desk.generating().attempt()
    tried = desk.collecting()
    assert (await tried.failing()).type == "ArtifactInvalid"
    stored = await tried.attempt()
    assert await desk.images(stored) == [PICTURE, OTHER_PICTURE]
    assert await desk.collecting().attempt() == stored
    assert len(desk.service.polled) == 1


async def test_a_job_is_cancelled_at_its_service_and_what_it_made_stays(desk: Desk) -> None:
    desk.service.polls = [INLINE]
    await desk.polling().attempt()
    await Series(lambda: desk.made.jobs.cancel_job(JOB_INPUT)).attempt()
    assert desk.service.cancelled == [JOB]
    assert await desk.images(await desk.storing().attempt()) == [PICTURE]


async def test_a_job_that_was_taken_while_its_request_was_cancelled_is_cancelled_too(desk: Desk) -> None:
    taken, release = asyncio.Event(), asyncio.Event()

    class Slow(LocalBlobStore):
        async def write(self, key: str, data: bytes) -> None:
            taken.set()
            await release.wait()
            await super().write(key, data)

    desk.service.submits, desk.blobs = [ACCEPTED], Slow(desk.root)
    environment = ActivityEnvironment()
    attempt = asyncio.create_task(environment.run(desk.activities.generate_image, generate_input()))
    await taken.wait()
    environment.cancel(ActivityCancellationDetails(cancel_requested=True))
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert desk.service.cancelled == [JOB]
    marker = await desk.marker()
    assert marker is not None
    assert marker.job == JOB


async def test_a_submit_that_leads_to_a_job_is_not_torn_down_but_its_job_is_cancelled(desk: Desk) -> None:
    asked, release = asyncio.Event(), asyncio.Event()

    async def slowly() -> Accepted:
        asked.set()
        await release.wait()
        return ACCEPTED

    desk.settings, desk.service.submits = {"kind": "fal"}, [slowly]
    environment = ActivityEnvironment()
    attempt = asyncio.create_task(environment.run(desk.activities.generate_image, generate_input()))
    await asked.wait()
    environment.cancel(ActivityCancellationDetails(cancel_requested=True))
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert desk.service.cancelled == [JOB]


async def test_a_job_that_is_wanted_is_not_cancelled(desk: Desk) -> None:
    desk.settings, desk.service.submits = {"kind": "fal"}, [ACCEPTED]
    assert await desk.generating().attempt() == Generation(job=JOB)
    assert desk.service.cancelled == []


async def test_a_job_reaches_the_history_even_where_the_store_cannot_take_it(desk: Desk) -> None:
    desk.service.submits = [ACCEPTED]
    # Manifest, marker and intent pass; then the job is refused as often as it is tried.
    faults = dict.fromkeys(range(3, 9), Fault.REFUSED)
    desk.blobs = FailingBlobStore(desk.root, faults)
    assert await desk.generating().attempt() == Generation(job=JOB)
    assert len(desk.service.submitted) == 1


async def test_the_service_is_told_where_to_ring(desk: Desk) -> None:
    (desk.root / "key").write_text("made-up-signing-key-0123456789", encoding="utf-8")
    desk.doorbell = Doorbell("https://front.example", f"file:{desk.root}/key")
    desk.settings, desk.service.submits = {"webhook": True}, [Accepted(JobReference(service="flux", job_id="j"))]
    await desk.generating(generate_input(workflow_id="event/request-7")).attempt()
    url = desk.service.submitted[0].webhook_url
    assert url is not None
    base, _, token = url.rpartition("/")
    assert base == "https://front.example/services/flux/ring"
    assert read_ring("flux", token, ["made-up-signing-key-0123456789"]) == Ring("event/request-7", 1)


@pytest.mark.parametrize(
    ("settings", "key", "workflow"),
    [({}, "key", "w"), ({"webhook": True}, "missing", "w"), ({"webhook": True}, "key", None)],
    ids=["not wanted", "no signing key", "no workflow"],
)
async def test_a_doorbell_is_no_reason_not_to_call(
    desk: Desk, settings: dict[str, bool], key: str, workflow: str | None
) -> None:
    (desk.root / "key").write_text("made-up-signing-key-0123456789", encoding="utf-8")
    desk.settings, desk.doorbell = settings, Doorbell("https://front.example", f"file:{desk.root}/{key}")
    await desk.generating(generate_input(workflow_id=workflow)).attempt()
    assert desk.service.submitted[0].webhook_url is None


async def test_what_the_service_said_of_its_job_is_in_the_ledger(desk: Desk) -> None:
    desk.service.submits, desk.service.polls = [ACCEPTED], [REMOTE]
    await desk.generating().attempt()
    await desk.polling().attempt()
    await desk.storing().attempt()
    assert await desk.states() == [SpendState.INTENT, SpendState.ACCEPTED, SpendState.STORED]
    (call,) = await desk.spent()
    assert (call.standing, call.images, call.entry.job_id) == ("paid", 2, "job-1")
