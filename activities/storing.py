"""Storing what a service made: inline images at once, remote ones by download. The manifest is written last."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from activities.directory import ServiceDirectory, service_call
from activities.images import inspect
from activities.ledger import Ledger
from activities.records import Marker, Records
from activities.services.base import Completed, InlineArtifact, RemoteArtifact, ServiceError
from activities.unbroken import beside, unbroken
from contracts.errors import FailureClass, Retry, make_failure
from contracts.requests import GeneratedImages, GenerateInput, StoredImage
from contracts.spend import SpendState


class Storing:
    """Brings images home, once they are paid for. Shared by synchronous calls and jobs."""

    def __init__(self, directory: ServiceDirectory, records: Records, ledger: Ledger) -> None:
        self._directory = directory
        self._records = records
        self._ledger = ledger

    async def store(self, call: GenerateInput, marker: Marker, answer: Completed) -> GeneratedImages:
        """Store the images of an answer; raises `ServiceError`."""
        if has_files(answer):
            return await self.download(call, await self.note_files(call, marker, answer))
        inline = [artifact for artifact in answer.artifacts if isinstance(artifact, InlineArtifact)]
        known = _described(marker, answer)
        accepted = self._accepted(call, known, len(inline))
        return await unbroken(beside(accepted, self._store_inline(call, known, inline)))

    async def note_files(self, call: GenerateInput, marker: Marker, answer: Completed) -> Marker:
        """Keep where the images are, before anything else can fail; returns the marker that says so."""
        files = tuple(artifact for artifact in answer.artifacts if isinstance(artifact, RemoteArtifact))
        known = _described(marker, answer).model_copy(update={"artifacts": files})
        noted = self._records.keep(call, known)
        await unbroken(beside(self._accepted(call, known, len(files)), noted))
        return known

    async def download(self, call: GenerateInput, marker: Marker) -> GeneratedImages:
        """Download the images that the marker names, and store them; raises `ServiceError`."""
        service, images = self._directory.service(call.service), []
        for artifact in marker.artifacts or ():
            data = await service.download(artifact, service_call(call))
            images.append(await self._store_image(call, data, artifact.seed))
        return await self._finish(call, marker, images)

    async def never_ran(self, call: GenerateInput, marker: Marker, error: ServiceError) -> ServiceError:
        """Note that the marker's job costs nothing; the error says so only where no earlier call may be paid for."""
        await self._ledger.note(call, marker, SpendState.REFUSED)
        if marker.before is None:
            return error
        return ServiceError(error.failure.model_copy(update={"unpaid": False}), error.retry_after_s, retry=error.retry)

    async def _store_inline(
        self, call: GenerateInput, known: Marker, inline: Sequence[InlineArtifact]
    ) -> GeneratedImages:
        try:
            images = [await self._store_image(call, artifact.data, artifact.seed) for artifact in inline]
        except (ServiceError, OSError) as error:
            if known.job is not None:
                # The next poll brings the bytes again.
                raise
            raise await self._given_up(call, known, error) from None
        return await self._finish(call, known, images)

    async def _given_up(self, call: GenerateInput, known: Marker, error: ServiceError | OSError) -> ServiceError:
        """The bytes are gone with this answer: no policy may pay a second time for it, only an operator."""
        if isinstance(error, ServiceError):
            failure = error.failure
        else:
            # A full disk is ours.
            message = f"the image was made but could not be stored: {error.strerror}"
            failure = make_failure(FailureClass.INTERNAL, message)
        await self._records.note(call, known.model_copy(update={"unusable": failure}))
        return ServiceError(failure, retry=Retry.NEVER)

    async def _store_image(self, call: GenerateInput, data: bytes, seed: int | None) -> StoredImage:
        facts = await asyncio.to_thread(inspect, data, self._directory.settings(call.service).image_limit)
        return StoredImage(
            sha256=await self._records.put_image(data),
            media_type=facts.media_type,
            size=len(data),
            width=facts.width,
            height=facts.height,
            seed=seed if seed is not None else self._directory.seed_sent(call),
        )

    async def _finish(self, call: GenerateInput, marker: Marker, images: list[StoredImage]) -> GeneratedImages:
        cost = self._directory.cost(call.service, marker.cost, len(images))
        done = GeneratedImages(
            service=call.service,
            model=marker.model,
            images=tuple(images),
            provider_request_id=marker.provider_request_id,
            warnings=marker.warnings or None,
            cost=cost,
        )
        stored = self._ledger.note(call, marker, SpendState.STORED, len(images), cost)
        await beside(stored, self._records.finish(call, done))
        return done

    async def _accepted(self, call: GenerateInput, marker: Marker, images: int) -> None:
        # That of a job was written when the service took it.
        if marker.job is None:
            cost = self._directory.cost(call.service, marker.cost, images)
            await self._ledger.note(call, marker, SpendState.ACCEPTED, images, cost)


def has_files(answer: Completed) -> bool:
    """Whether the images are still to be downloaded."""
    return any(isinstance(artifact, RemoteArtifact) for artifact in answer.artifacts)


def _described(marker: Marker, answer: Completed) -> Marker:
    """The marker with all that the answer tells beside its images; nobody has to wait for the call any more."""
    told = {
        "model": answer.model,
        "provider_request_id": answer.provider_request_id or marker.provider_request_id,
        "warnings": tuple(dict.fromkeys((*marker.warnings, *answer.warnings))),
        "cost": answer.cost or marker.cost,
    }
    return marker.ended().model_copy(update=told)
