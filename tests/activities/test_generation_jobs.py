from __future__ import annotations

from activities.services.base import Completed, InlineArtifact, Pending
from contracts.errors import FailureClass
from contracts.requests import JobInput
from tests.activities.desk import Desk, generate_input, refused
from tests.activities.doubles import ACCEPTED, JOB, OTHER_PICTURE, PICTURE, REMOTE
from tests.activities.series import Series, failure_of


async def test_the_images_of_a_job_are_stored(desk: Desk) -> None:
    desk.service.submits = [ACCEPTED]
    await desk.generating().attempt()
    assert await desk.images(await desk.collecting().attempt()) == [PICTURE]
    assert desk.service.polled == [JOB]


async def test_a_collected_job_is_not_asked_for_again(desk: Desk) -> None:
    first = await desk.collecting().attempt()
    assert await desk.collecting().attempt() == first
    assert (await desk.generating().attempt()).generated == first
    assert (len(desk.service.polled), desk.service.submitted) == (1, [])


async def test_the_files_of_a_job_are_downloaded_until_they_are_whole(desk: Desk) -> None:
    desk.service.polls = [REMOTE]
    desk.service.files = {**desk.service.files, "https://images.example/2": [b"<html>", OTHER_PICTURE]}
    tried = desk.collecting()
    assert (await tried.failing()).type == "ArtifactInvalid"
    assert await desk.images(await tried.attempt()) == [PICTURE, OTHER_PICTURE]


async def test_a_job_that_is_not_finished_in_time_is_left_alone(desk: Desk) -> None:
    desk.service.polls = [Pending()]
    error = await desk.collecting().failing()
    assert error.non_retryable
    assert failure_of(error).failure is FailureClass.JOB_TIMED_OUT
    assert "job-1" in failure_of(error).message


async def test_a_lost_job_is_final(desk: Desk) -> None:
    desk.service.polls = [refused(FailureClass.JOB_LOST)]
    assert (await desk.collecting().failing()).non_retryable


async def test_a_failed_look_at_a_job_is_repeated(desk: Desk) -> None:
    desk.service.polls = [refused(FailureClass.PROVIDER_INTERNAL), Completed((InlineArtifact(PICTURE),))]
    tried = desk.collecting()
    assert not (await tried.failing()).non_retryable
    assert await desk.images(await tried.attempt()) == [PICTURE]


async def test_a_job_is_cancelled_at_its_service(desk: Desk) -> None:
    job = JobInput(call=generate_input(), job=JOB)
    await Series(lambda: desk.activities.cancel_job(job)).attempt()
    assert desk.service.cancelled == [JOB]
