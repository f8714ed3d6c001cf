from __future__ import annotations

import asyncio

import pytest

from activities.services.base import Completed, InlineArtifact
from contracts.errors import Failure, FailureClass, Retry
from contracts.identity import sha256_hex
from contracts.requests import Generation
from tests.activities.desk import Desk, generate_input, refused, settled
from tests.activities.doubles import ACCEPTED, INLINE, JOB, OTHER_PICTURE, PICTURE, REMOTE
from tests.activities.series import delay_s, failure_of
from tests.services.calls import TRACEPARENT


async def test_images_are_stored_and_described_by_what_they_are(desk: Desk) -> None:
    generated = (await desk.generating().attempt()).generated
    assert await desk.images(generated) == [PICTURE]
    assert generated is not None
    (image,) = generated.images
    assert (image.sha256, image.size) == (sha256_hex(PICTURE), len(PICTURE))
    assert (image.media_type, image.width, image.height, image.seed) == ("image/png", 32, 16, 7)
    assert (generated.service, generated.model, generated.provider_request_id) == ("flux", "flux-1", "req-1")


async def test_the_service_is_told_the_request_and_its_ids(desk: Desk) -> None:
    await desk.generating().attempt()
    (call,) = desk.service.submitted
    assert call.request.prompt == "a harbour at dawn"
    assert (call.correlation_id, call.traceparent, call.timeout_s) == ("request-7", TRACEPARENT, 0.05)


async def test_what_the_store_holds_is_not_made_again(desk: Desk) -> None:
    first = await desk.generating().attempt()
    assert await desk.generating().attempt() == first
    assert len(desk.service.submitted) == 1


async def test_another_generation_is_made_anew(desk: Desk) -> None:
    await desk.generating().attempt()
    await desk.generating(generate_input(2)).attempt()
    assert len(desk.service.submitted) == 2


async def test_several_images_are_all_stored(desk: Desk) -> None:
    desk.service.submits = [Completed((InlineArtifact(PICTURE, seed=1), InlineArtifact(OTHER_PICTURE, seed=2)))]
    generated = (await desk.generating().attempt()).generated
    assert await desk.images(generated) == [PICTURE, OTHER_PICTURE]
    assert generated is not None
    assert [image.seed for image in generated.images] == [1, 2]


async def test_two_attempts_at_once_make_one_call(desk: Desk) -> None:
    release = asyncio.Event()

    async def slowly() -> Completed:
        await release.wait()
        return INLINE

    desk.service.submits = [slowly]
    call = generate_input(policy=generate_input().policy.model_copy(update={"timeout_s": 60}))
    first = asyncio.create_task(desk.generating(call).attempt())
    while not desk.service.submitted:
        await asyncio.sleep(0.001)
    second = desk.generating(call)
    assert (await second.failing()).type == "EarlierAttempt"
    release.set()
    assert await first == await second.attempt()
    assert len(desk.service.submitted) == 1


async def test_attempts_that_begin_in_the_same_instant_make_one_call(desk: Desk) -> None:
    ends = await asyncio.gather(*(settled(desk.generating()) for _ in range(8)))
    assert len({end.model_dump_json() for end in ends}) == 1
    assert isinstance(ends[0], Generation)
    assert len(desk.service.submitted) == 1


async def test_an_unknown_service_is_named_and_nothing_is_called(desk: Desk) -> None:
    error = await desk.generating(generate_input(service="fluxx")).failing()
    assert error.non_retryable
    assert failure_of(error).failure is FailureClass.MODEL_NOT_FOUND
    assert "[services.fluxx]" in failure_of(error).message
    assert await desk.marker() is None


@pytest.mark.parametrize("failure", [FailureClass.RATE_LIMITED, FailureClass.CONNECT_FAILED])
async def test_a_proved_refusal_leaves_no_trace_and_the_next_attempt_calls_again(
    desk: Desk, failure: FailureClass
) -> None:
    desk.service.submits = [refused(failure), INLINE]
    tried = desk.generating()
    assert delay_s(await tried.failing()) > 0
    assert await desk.marker() is None
    assert (await tried.attempt()).generated
    assert len(desk.service.submitted) == 2


@pytest.mark.parametrize("data", [PICTURE[: len(PICTURE) // 2], b"<html>gone</html>", b""])
async def test_an_unusable_inline_image_is_final_and_not_paid_for_again(desk: Desk, data: bytes) -> None:
    desk.service.submits = [Completed((InlineArtifact(data),))]
    error = await desk.generating().failing()
    again = await desk.generating().failing()
    assert error.non_retryable
    assert failure_of(error).failure is FailureClass.ARTIFACT_INVALID
    assert (again.non_retryable, failure_of(again)) == (True, failure_of(error))
    assert len(desk.service.submitted) == 1


async def test_a_paid_answer_without_an_image_is_final_and_not_paid_for_again(desk: Desk) -> None:
    desk.service.submits = [refused(FailureClass.PROTOCOL_ERROR)]
    ends = [await settled(desk.generating()) for _ in range(2)]
    assert all(isinstance(end, Failure) and end.failure is FailureClass.PROTOCOL_ERROR for end in ends)
    assert len(desk.service.submitted) == 1


async def test_remote_images_are_only_downloaded_again(desk: Desk) -> None:
    first = "https://images.example/1"
    files = dict(desk.service.files)
    files[first] = [refused(FailureClass.PROVIDER_INTERNAL, retry=Retry.BACKOFF), PICTURE[: len(PICTURE) // 2], PICTURE]
    desk.service.files, desk.service.submits = files, [REMOTE]
    tried = desk.generating()
    assert (await tried.failing()).type == "ProviderInternal"
    assert (await tried.failing()).type == "ArtifactInvalid"
    assert await desk.images((await tried.attempt()).generated) == [PICTURE, OTHER_PICTURE]
    assert len(desk.service.submitted) == 1
    assert desk.service.downloaded.count(first) == 3


async def test_an_accepted_job_is_kept_before_it_is_returned_and_then_reused(desk: Desk) -> None:
    desk.service.submits = [ACCEPTED]
    assert await desk.generating().attempt() == Generation(job=JOB)
    marker = await desk.marker()
    assert marker is not None
    assert marker.job == JOB
    assert await desk.generating().attempt() == Generation(job=JOB)
    assert len(desk.service.submitted) == 1
