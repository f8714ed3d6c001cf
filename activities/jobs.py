"""`poll-job`, `store-images`, `cancel-job`: what follows where a service took a job. None of them ever pays again.

`collect-images` is the first two in one, as the requests that were started before 0.2.0 still ask for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from structlog.contextvars import bound_contextvars
from temporalio import activity

from activities.attempts import HandedOverError, after_a_call, run_attempt
from activities.directory import ServiceDirectory, service_call
from activities.records import Marker, Records
from activities.services.base import Completed, Pending, ServiceError
from activities.storing import Storing, has_files
from contracts import names
from contracts.errors import FailureClass, Retry, make_failure
from contracts.identity import sha256_hex
from contracts.requests import GeneratedImages, JobFinished, JobInput

_T = TypeVar("_T")

FIRST_POLL_S, LONGEST_POLL_S, POLL_GROWTH = 0.5, 5.0, 1.5
"""Seconds between polls of a job: soon at first, for the quick models, then less and less often."""


class JobActivities:
    """The activities about jobs. They run on a queue of their own, which no rate holds back."""

    def __init__(self, directory: ServiceDirectory, records: Records, storing: Storing) -> None:
        self._directory = directory
        self._records = records
        self._storing = storing

    @activity.defn(name=names.POLL)
    async def poll_job(self, job: JobInput) -> JobFinished:
        """Wait until the job is finished and note where its images are; images that the poll brings are stored."""
        return await _of_a_job(job, self._poll)

    @activity.defn(name=names.STORE)
    async def store_images(self, job: JobInput) -> GeneratedImages:
        """Download and store what the job has made; an address that has expired is asked for anew, once."""
        return await _of_a_job(job, self._store)

    @activity.defn(name=names.COLLECT)
    async def collect_images(self, job: JobInput) -> GeneratedImages:
        """Wait for a job and store its images."""
        return await _of_a_job(job, self._collect)

    @activity.defn(name=names.CANCEL_JOB)
    async def cancel_job(self, job: JobInput) -> None:
        """Cancel a job at its service. What it has made by then stays."""
        with bound_contextvars(request_id=job.call.reference.request_id):
            await run_attempt(job.call.policy, lambda: self._cancel(job))

    async def _cancel(self, job: JobInput) -> None:
        await self._directory.service(job.job.service).cancel(job.job, service_call(job.call))

    async def _poll(self, job: JobInput) -> JobFinished:
        done = await self._records.manifest(job.call)
        if done is not None:
            return JobFinished(images=len(done.images))
        marker = await self._marker(job)
        if marker.artifacts is not None:
            return JobFinished(images=len(marker.artifacts))
        answer = await self._finished(job, marker)
        if has_files(answer):
            await self._storing.note_files(job.call, marker, answer)
            return JobFinished(images=len(answer.artifacts))
        stored = await self._storing.store(job.call, marker, answer)
        return JobFinished(images=len(stored.images))

    async def _store(self, job: JobInput) -> GeneratedImages:
        done = await self._records.manifest(job.call)
        if done is not None:
            return done
        marker = await self._marker(job)
        if marker.artifacts is None:
            return await self._storing.store(job.call, marker, await self._finished(job, marker))
        try:
            return await self._storing.download(job.call, marker)
        except ServiceError as error:
            if error.failure.failure is not FailureClass.ARTIFACT_EXPIRED:
                raise
            return await self._storing.store(job.call, marker, await self._polled_again(job, error))

    async def _collect(self, job: JobInput) -> GeneratedImages:
        await self._poll(job)
        return await self._store(job)

    async def _polled_again(self, job: JobInput, expired: ServiceError) -> Completed:
        """The finished job with fresh addresses; raises `expired` where the service has them no more."""
        try:
            answer = await self._directory.service(job.call.service).poll(job.job, service_call(job.call))
        except ServiceError as error:
            if error.failure.rule.retry is Retry.NEVER:
                raise expired from None
            raise
        if isinstance(answer, Pending):
            raise expired
        return answer

    async def _finished(self, job: JobInput, marker: Marker) -> Completed:
        try:
            return await self._waited_for(job)
        except ServiceError as error:
            if error.failure.unpaid:
                raise await self._storing.never_ran(job.call, marker, error) from None
            if error.failure.failure is FailureClass.JOB_LOST and self._may_repeat(job, marker):
                failure = error.failure.model_copy(update={"lost_call": marker.calls})
                raise ServiceError(failure, retry=Retry.NEVER) from None
            raise

    def _may_repeat(self, job: JobInput, marker: Marker) -> bool:
        return self._directory.may_repeat(job.call.service, marker.calls)

    async def _waited_for(self, job: JobInput) -> Completed:
        service, call = self._directory.service(job.call.service), service_call(job.call)
        end, delay = time.monotonic() + job.call.policy.timeout_s, FIRST_POLL_S
        while isinstance(answer := await service.poll(job.job, call), Pending):
            if activity.is_worker_shutdown():
                raise HandedOverError
            remaining = end - time.monotonic()
            if remaining <= 0:
                message = f"job {job.job.job_id} was not finished after {job.call.policy.timeout_s:.0f} s"
                raise ServiceError(make_failure(FailureClass.JOB_TIMED_OUT, message, service=job.call.service))
            await asyncio.sleep(min(delay, remaining))
            delay = min(LONGEST_POLL_S, delay * POLL_GROWTH)
        return answer

    async def _marker(self, job: JobInput) -> Marker:
        """The marker of the job; where the store has lost it, what the history knows of the job takes its place."""
        marker = await self._records.marker(job.call)
        if marker is None:
            now = time.time()
            marker = Marker(sent_at=now, gives_up_at=0, call=f"job-{sha256_hex(job.job.job_id.encode())[:16]}")
        return marker.model_copy(update={"job": marker.job or job.job})


async def _of_a_job(job: JobInput, work: Callable[[JobInput], Awaitable[_T]]) -> _T:
    """Run an attempt at a job that its service has taken."""

    async def attempt() -> _T:
        with after_a_call():
            return await work(_at_its_service(job))

    with bound_contextvars(request_id=job.call.reference.request_id):
        return await run_attempt(job.call.policy, attempt)


def _at_its_service(job: JobInput) -> JobInput:
    """The job asked for where it is: after a failover and a redrive the call may name another service."""
    return job.model_copy(update={"call": job.call.model_copy(update={"service": job.job.service})})
