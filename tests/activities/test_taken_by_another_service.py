"""A redrive begins with the service of the request, but what another one has begun or made is that one's to finish."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from activities.services.base import Accepted, Completed, RemoteArtifact
from contracts.errors import FailureClass
from contracts.requests import JobFinished, JobInput, JobReference
from runtime.blobs import LocalBlobStore
from tests.activities.desk import Desk, Made, generate_input, made, refused
from tests.activities.doubles import OTHER_PICTURE, PICTURE, REMOTE, ScriptedService
from tests.activities.paying import never_ran
from tests.activities.series import Series, failure_of
from tests.services.calls import settings

JOB = JobReference(service="spare", job_id="job-9")
FIRST, SPARE = generate_input(), generate_input(service="spare")


@dataclass
class Pair:
    """The service of the request, and the one that stands in for it."""

    root: Path
    first: ScriptedService = field(default_factory=ScriptedService)
    spare: ScriptedService = field(default_factory=lambda: ScriptedService(name="spare"))
    of_first: dict[str, Any] = field(default_factory=dict)
    of_spare: dict[str, Any] = field(default_factory=dict)

    @property
    def made(self) -> Made:
        configured = {
            "flux": settings(**{"kind": "flux_lora", **self.of_first}),
            "spare": settings(**{"kind": "flux_lora", **self.of_spare}),
        }
        return made({"flux": self.first, "spare": self.spare}, configured, LocalBlobStore(self.root))

    def generating(self, call: Any) -> Series[Any]:
        return Series(lambda: self.made.generation.generate_image(call))


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


async def test_the_job_of_another_service_is_asked_for_there(pair: Pair) -> None:
    pair.spare.submits, pair.spare.polls = [Accepted(JOB)], [REMOTE]
    await pair.generating(SPARE).attempt()
    again = await pair.generating(FIRST).attempt()
    assert again.job == JOB
    job = JobInput(call=FIRST, job=JOB)
    assert await Series(lambda: pair.made.jobs.poll_job(job)).attempt() == JobFinished(images=2)
    stored = await Series(lambda: pair.made.jobs.store_images(job)).attempt()
    assert stored.service == "spare"
    assert (pair.first.polled, pair.first.downloaded, pair.first.submitted) == ([], [], [])
    assert pair.spare.polled == [JOB]
    assert await Desk(pair.root).images(stored) == [PICTURE, OTHER_PICTURE]


async def test_where_a_job_never_ran_another_service_may_be_asked(pair: Pair) -> None:
    pair.spare.submits, pair.spare.polls = [Accepted(JOB)], [never_ran()]
    await pair.generating(SPARE).attempt()
    await Series(lambda: pair.made.jobs.poll_job(JobInput(call=SPARE, job=JOB))).failing()
    made = await pair.generating(FIRST.model_copy(update={"void_job": JOB.job_id})).attempt()
    assert made.generated.service == "flux"
    assert (len(pair.first.submitted), len(pair.spare.submitted)) == (1, 1)
    spent = {call.entry.service: call.standing for call in await Desk(pair.root).spent()}
    assert spent == {"flux": "paid", "spare": "unpaid"}


async def test_the_job_of_another_service_is_cancelled_there(pair: Pair) -> None:
    await Series(lambda: pair.made.jobs.cancel_job(JobInput(call=FIRST, job=JOB))).attempt()
    assert (pair.first.cancelled, pair.spare.cancelled) == ([], [JOB])


async def test_the_images_of_another_service_are_downloaded_from_there(pair: Pair) -> None:
    url = "https://images.example/1"
    pair.spare.submits = [Completed((RemoteArtifact(url=url),))]
    pair.spare.files = {url: [refused(FailureClass.PROVIDER_INTERNAL), PICTURE]}
    await pair.generating(SPARE).failing()
    again = await pair.generating(FIRST).attempt()
    assert again.generated.service == "spare"
    assert (pair.first.downloaded, pair.first.submitted) == ([], [])


async def test_what_may_be_paid_at_a_service_is_decided_by_its_policy_and_not_by_another_s(pair: Pair) -> None:
    pair.of_first = {"on_outcome_unknown": "always"}
    pair.spare.submits = [refused(FailureClass.OUTCOME_UNKNOWN)]
    assert failure_of(await pair.generating(SPARE).failing()).failure is FailureClass.OUTCOME_UNKNOWN
    failure = failure_of(await pair.generating(FIRST).failing())
    assert failure.failure is FailureClass.OUTCOME_UNKNOWN
    assert failure.service == "spare"
    assert (len(pair.first.submitted), len(pair.spare.submitted)) == (0, 1)


async def test_a_call_whose_service_can_look_it_up_is_looked_up_there(pair: Pair) -> None:
    pair.spare.submits = [refused(FailureClass.OUTCOME_UNKNOWN)]
    await pair.generating(SPARE).failing()
    pair.spare.finds = [Accepted(JOB)]
    assert (await pair.generating(FIRST).attempt()).job == JOB
    assert pair.first.submitted == []


async def test_a_cancellation_that_fails_is_repeated_and_says_why(pair: Pair) -> None:
    tries: list[JobReference] = []

    async def cancel(job: JobReference, _call: Any) -> None:
        tries.append(job)
        if len(tries) == 1:
            raise refused(FailureClass.PROVIDER_OVERLOADED)

    pair.spare.cancel = cancel  # type: ignore[method-assign,assignment]
    cancelling = Series(lambda: pair.made.jobs.cancel_job(JobInput(call=FIRST, job=JOB)))
    assert failure_of(await cancelling.failing()).failure is FailureClass.PROVIDER_OVERLOADED
    await cancelling.attempt()
    assert tries == [JOB, JOB]
