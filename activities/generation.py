"""`generate-image`, `collect-images`, `cancel-job`: have images made, at most once per generation, and store them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import structlog
from structlog.contextvars import bound_contextvars
from temporalio import activity

from activities.attempts import AttemptFailedError, EarlierAttemptError, run_attempt
from activities.images import inspect
from activities.records import Marker, Records
from activities.services.base import (
    UNPAID,
    Accepted,
    Call,
    Completed,
    ImageService,
    InlineArtifact,
    Pending,
    RemoteArtifact,
    ServiceError,
)
from activities.unbroken import left_alone, unbroken
from contracts import names
from contracts.errors import FailureClass, Retry, make_failure
from contracts.identity import header_value
from contracts.requests import GeneratedImages, GenerateInput, Generation, JobInput, StoredImage
from runtime.settings import ServiceSettings

log = structlog.get_logger(__name__)

LOOK_AGAIN_S = 3.0
"""Seconds between looks for the image of an attempt that may still be running."""
POLL_S = 2.0
"""Seconds between polls of a job."""

_T = TypeVar("_T")


class GenerationActivities:
    """The activities of one worker that call image services."""

    def __init__(
        self, services: Mapping[str, ImageService], settings: Mapping[str, ServiceSettings], records: Records
    ) -> None:
        self._services = services
        self._settings = settings
        self._records = records

    @activity.defn(name=names.GENERATE)
    async def generate_image(self, call: GenerateInput) -> Generation:
        """Make and store the images, or return the job that will; looks in the store before it pays."""
        with bound_contextvars(request_id=call.reference.request_id):
            return await run_attempt(call.policy, lambda: _finish_even_if_given_up(lambda: self._generate(call)))

    @activity.defn(name=names.COLLECT)
    async def collect_images(self, job: JobInput) -> GeneratedImages:
        """Wait for a job and store its images."""
        with bound_contextvars(request_id=job.call.reference.request_id):
            return await run_attempt(job.call.policy, lambda: self._collect(job))

    @activity.defn(name=names.CANCEL_JOB)
    async def cancel_job(self, job: JobInput) -> None:
        """Cancel a job at its service."""
        await self._service(job.call.service).cancel(job.job, _service_call(job.call))

    # --- decide from the store ------------------------------------------------------------------------------------

    async def _generate(self, call: GenerateInput) -> Generation:
        done = await self._records.manifest(call)
        if done is not None:
            return Generation(generated=done)
        self._service(call.service)
        marker = self._marker(call, calls=1)
        # Written only where there is none, so this is the look for an earlier call as well.
        if await self._records.begin(call, marker):
            return await self._call(call, marker)
        earlier = await self._records.marker(call)
        if earlier is None:
            raise EarlierAttemptError(LOOK_AGAIN_S)
        return await self._resume(call, earlier)

    async def _resume(self, call: GenerateInput, marker: Marker) -> Generation:
        if marker.unusable is not None:
            raise ServiceError(marker.unusable, retry=Retry.NEVER)
        if marker.job is not None:
            return Generation(job=marker.job)
        if marker.artifacts is not None:
            return Generation(generated=await self._store_remote(call, marker))
        found = await self._service(call.service).find(_service_call(call))
        if found is not None:
            return await self._take(call, marker, found)
        return await self._after_unknown(call, marker)

    async def _after_unknown(self, call: GenerateInput, marker: Marker) -> Generation:
        """An earlier call left neither image nor refusal: the service's policy says whether to call again."""
        wait = marker.gives_up_at - time.time()
        # What costs nothing need not wait for a call that may still bring its image.
        if wait > 0 and self._config(call.service).unknown_policy != "always":
            raise EarlierAttemptError(min(wait, LOOK_AGAIN_S))
        if self._may_repeat(call.service, marker):
            return await self._call_again(call, marker)
        raise ServiceError(
            make_failure(
                FailureClass.OUTCOME_UNKNOWN,
                f"a call to {call.service} was begun, but neither an image nor a refusal of it is known",
                service=call.service,
            )
        )

    def _may_repeat(self, service: str, marker: Marker) -> bool:
        policy = self._config(service).unknown_policy
        return policy == "always" or (policy == "retry_once" and marker.calls < 2)  # noqa: PLR2004 - once more

    # --- call ---------------------------------------------------------------------------------------------------

    async def _call_again(self, call: GenerateInput, marker: Marker) -> Generation:
        again = self._marker(call, calls=marker.calls + 1)
        await self._records.note(call, again)
        return await self._call(call, again)

    async def _call(self, call: GenerateInput, marker: Marker) -> Generation:
        try:
            answer = await self._service(call.service).submit(_service_call(call))
        except ServiceError as error:
            raise await self._after_failed_call(call, marker, error) from None
        except asyncio.CancelledError:
            await self._records.note(call, _ended(marker))
            raise
        return await self._take(call, marker, answer)

    async def _after_failed_call(self, call: GenerateInput, marker: Marker, error: ServiceError) -> ServiceError:
        if error.failure.failure in UNPAID:
            await self._forget_this_call(call, marker)
            return error
        if error.failure.failure is FailureClass.OUTCOME_UNKNOWN:
            await self._records.note(call, _ended(marker))
            return ServiceError(error.failure, retry=Retry.BACKOFF if self._may_repeat(call.service, marker) else None)
        await self._records.note(call, _ended(marker).model_copy(update={"unusable": error.failure}))
        return error

    async def _forget_this_call(self, call: GenerateInput, marker: Marker) -> None:
        """This call was refused; what an earlier one of the same generation did stays unknown."""
        if marker.calls == 1:
            await self._records.forget(call)
        else:
            await self._records.note(call, _ended(marker).model_copy(update={"calls": marker.calls - 1}))

    async def _take(self, call: GenerateInput, marker: Marker, answer: Completed | Accepted) -> Generation:
        if isinstance(answer, Accepted):
            await unbroken(self._records.note(call, marker.model_copy(update={"job": answer.job})))
            return Generation(job=answer.job)
        return Generation(generated=await self._store(call, marker, answer))

    # --- store --------------------------------------------------------------------------------------------------

    async def _store(self, call: GenerateInput, marker: Marker, answer: Completed) -> GeneratedImages:
        known = marker.model_copy(
            update={"model": answer.model, "provider_request_id": answer.provider_request_id, "gives_up_at": 0.0}
        )
        remote = tuple(artifact for artifact in answer.artifacts if isinstance(artifact, RemoteArtifact))
        if remote:
            known = known.model_copy(update={"artifacts": remote})
            await unbroken(self._records.note(call, known))
            return await self._store_remote(call, known)
        inline = [artifact for artifact in answer.artifacts if isinstance(artifact, InlineArtifact)]
        return await unbroken(self._store_inline(call, known, inline))

    async def _store_inline(self, call: GenerateInput, known: Marker, inline: list[InlineArtifact]) -> GeneratedImages:
        try:
            images = [await self._store_image(call, artifact.data, artifact.seed) for artifact in inline]
        except ServiceError as error:
            # The bytes are gone with this answer: nothing is left to download again.
            await self._records.note(call, known.model_copy(update={"unusable": error.failure}))
            raise ServiceError(error.failure, retry=Retry.NEVER) from None
        except OSError as error:
            # A full disk is ours: no policy may pay a second time for it, only an operator.
            lost = make_failure(FailureClass.INTERNAL, f"the image was made but could not be stored: {error.strerror}")
            await self._records.note(call, known.model_copy(update={"unusable": lost}))
            raise ServiceError(lost, retry=Retry.NEVER) from None
        return await self._finish(call, known, images)

    async def _store_remote(self, call: GenerateInput, marker: Marker) -> GeneratedImages:
        service, images = self._service(call.service), []
        for artifact in marker.artifacts or ():
            data = await service.download(artifact, _service_call(call))
            images.append(await self._store_image(call, data, artifact.seed))
        return await self._finish(call, marker, images)

    async def _store_image(self, call: GenerateInput, data: bytes, seed: int | None) -> StoredImage:
        facts = await asyncio.to_thread(inspect, data, self._config(call.service).image_limit)
        return StoredImage(
            sha256=await self._records.put_image(data),
            media_type=facts.media_type,
            size=len(data),
            width=facts.width,
            height=facts.height,
            seed=seed if seed is not None else call.request.seed,
        )

    async def _finish(self, call: GenerateInput, marker: Marker, images: list[StoredImage]) -> GeneratedImages:
        done = GeneratedImages(
            service=call.service,
            model=marker.model,
            images=tuple(images),
            provider_request_id=marker.provider_request_id,
        )
        await self._records.finish(call, done)
        return done

    # --- jobs ---------------------------------------------------------------------------------------------------

    async def _collect(self, job: JobInput) -> GeneratedImages:
        done = await self._records.manifest(job.call)
        if done is not None:
            return done
        answer = await self._finished(job)
        marker = await self._records.marker(job.call) or self._marker(job.call, calls=1)
        return await self._store(job.call, marker, answer)

    async def _finished(self, job: JobInput) -> Completed:
        service, call = self._service(job.call.service), _service_call(job.call)
        end = time.monotonic() + job.call.policy.timeout_s
        while isinstance(answer := await service.poll(job.job, call), Pending):
            if time.monotonic() >= end:
                message = f"job {job.job.job_id} was not finished after {job.call.policy.timeout_s:.0f} s"
                raise ServiceError(make_failure(FailureClass.JOB_TIMED_OUT, message, service=job.call.service))
            await asyncio.sleep(POLL_S)
        return answer

    # --- configuration ------------------------------------------------------------------------------------------

    def _service(self, name: str) -> ImageService:
        self._config(name)
        return self._services[name]

    def _config(self, name: str) -> ServiceSettings:
        if name not in self._settings:
            message = f"image service {name!r} is not configured here: add [services.{name}] or name another service"
            raise AttemptFailedError(make_failure(FailureClass.MODEL_NOT_FOUND, message, service=name))
        return self._settings[name]

    @staticmethod
    def _marker(call: GenerateInput, *, calls: int) -> Marker:
        now = time.time()
        return Marker(calls=calls, sent_at=now, gives_up_at=now + call.policy.timeout_s)


def _ended(marker: Marker) -> Marker:
    """The marker of a call that is not running any more: nobody needs to wait for it."""
    return marker.model_copy(update={"gives_up_at": 0.0})


def _service_call(call: GenerateInput) -> Call:
    return Call(
        request=call.request,
        correlation_id=header_value(call.reference.request_id),
        traceparent=call.traceparent,
        timeout_s=call.policy.timeout_s,
    )


async def _finish_even_if_given_up(work: Callable[[], Awaitable[_T]]) -> _T:
    """Run `work`; where the server has given up on this attempt (lost heartbeats), still let it reach the store.

    A call that may be paid is only torn down when someone wants that: a cancelled request, or a worker whose time
    to shut down is over.
    """
    task = asyncio.ensure_future(work())
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        details = activity.cancellation_details()
        if details is None or details.cancel_requested or details.worker_shutdown:
            task.cancel()
        await left_alone(task)
        raise
