"""A scripted service that counts what it is paid for, and a request that lives through whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import httpx
from temporalio.exceptions import ApplicationError

from activities.services.base import (
    Accepted,
    Call,
    Completed,
    InlineArtifact,
    Pending,
    RemoteArtifact,
    ServiceError,
)
from activities.wire import watch
from contracts.errors import Failure, FailureClass, Retry, make_failure
from contracts.requests import GeneratedImages, GenerateInput, JobInput, JobReference
from contracts.spend import SpendCall
from tests.activities.desk import Desk, generate_input, refused
from tests.activities.doubles import PICTURE, FailingBlobStore, Fault, KilledError
from tests.activities.series import Series, delay_s, failure_of
from workflows.generating import LOST_JOBS

_T = TypeVar("_T")

FILE = "https://images.example/1"


class Happening(Enum):
    """What goes wrong at one step of the service."""

    NOT_SENT = "the request never leaves"
    REFUSED = "the service is overloaded and says so"
    BROKEN = "the service fails with its own error"
    LOST = "the request is served, but the answer is lost"
    ODD = "the request is served, but the answer cannot be read"
    KILLED = "the process dies while it waits"
    KILLED_AFTER = "the process dies with the answer in hand"
    EXPIRED = "what was asked for is no longer there"
    UNFINISHED = "the job takes longer"
    DAMAGED = "what comes is cut off"
    NEVER_RAN = "the job is given up before it began, and costs nothing"


class Kind(Enum):
    """How the service delivers."""

    INLINE = "images in the answer"
    FILES = "addresses in the answer"
    JOB = "a job that brings addresses"
    INLINE_JOB = "a job that brings images"


@dataclass
class PaidService:
    """Each step meets the next happening; without one all goes well. `paid` counts the images that were billed."""

    kind: Kind
    happenings: Iterator[Happening | None]
    kill: Callable[[], None]
    finds: bool = False
    name: str = "flux"
    paid: int = 0
    submits: int = 0
    jobs: list[str] = field(default_factory=list)
    """Those that were taken and have run, or may."""
    finished: bool = False
    """Whether a job has been seen to be finished, which it then stays."""
    happened: list[str] = field(default_factory=list)

    async def submit(self, call: Call) -> Completed | Accepted:
        self.submits += 1
        happening = self._next("submit")
        if happening is Happening.NOT_SENT:
            raise refused(FailureClass.CONNECT_FAILED)
        await _leave()
        if happening in {Happening.REFUSED, Happening.BROKEN}:
            overloaded = happening is Happening.REFUSED
            raise refused(FailureClass.PROVIDER_OVERLOADED if overloaded else FailureClass.PROVIDER_INTERNAL)
        self.paid += 1
        if happening is Happening.LOST:
            self.jobs.append(f"job-{self.submits}")
            raise refused(FailureClass.OUTCOME_UNKNOWN)
        if happening is Happening.ODD:
            raise refused(FailureClass.PROTOCOL_ERROR)
        self.jobs.append(f"job-{self.submits}")
        self._die_if(happening in {Happening.KILLED, Happening.KILLED_AFTER})
        return self._made(happening)

    async def poll(self, job: JobReference, call: Call) -> Pending | Completed:
        happening = self._next("poll")
        if happening is Happening.NEVER_RAN and job.job_id in self.jobs and not self.finished:
            self.jobs.remove(job.job_id)
            self.paid -= 1
        if job.job_id not in self.jobs:
            raise never_ran()
        if happening is Happening.UNFINISHED:
            return Pending()
        if happening in {Happening.REFUSED, Happening.BROKEN, Happening.NOT_SENT, Happening.LOST}:
            raise refused(FailureClass.PROVIDER_INTERNAL)
        if happening is Happening.EXPIRED:
            raise refused(FailureClass.JOB_LOST)
        self.finished = True
        self._die_if(happening in {Happening.KILLED, Happening.KILLED_AFTER})
        return self._images(happening, inline=self.kind is Kind.INLINE_JOB)

    async def find(self, call: Call) -> Completed | Accepted | None:
        if not self.finds or not self.jobs:
            return None
        happening = self._next("find")
        if happening in {Happening.REFUSED, Happening.BROKEN, Happening.LOST}:
            raise refused(FailureClass.PROVIDER_INTERNAL)
        return self._made(None)

    async def cancel(self, job: JobReference, call: Call) -> None:
        """Nothing is cancelled here."""

    async def download(self, artifact: RemoteArtifact, call: Call) -> bytes:
        happening = self._next("download")
        if happening is Happening.EXPIRED:
            raise refused(FailureClass.ARTIFACT_EXPIRED)
        if happening in {Happening.REFUSED, Happening.BROKEN, Happening.NOT_SENT, Happening.LOST}:
            raise refused(FailureClass.PROVIDER_INTERNAL)
        self._die_if(happening in {Happening.KILLED, Happening.KILLED_AFTER})
        return PICTURE[:40] if happening is Happening.DAMAGED else PICTURE

    async def aclose(self) -> None:
        """Nothing is open."""

    def _next(self, step: str) -> Happening | None:
        happening = next(self.happenings, None)
        self.happened.append(f"{step}: {happening.name if happening else 'well'}")
        return happening

    def _made(self, happening: Happening | None) -> Completed | Accepted:
        if self.kind in {Kind.JOB, Kind.INLINE_JOB}:
            return Accepted(JobReference(service=self.name, job_id=self.jobs[-1]))
        return self._images(happening, inline=self.kind is Kind.INLINE)

    def _images(self, happening: Happening | None, *, inline: bool) -> Completed:
        data = PICTURE[:40] if happening is Happening.DAMAGED else PICTURE
        return Completed((InlineArtifact(data) if inline else RemoteArtifact(url=FILE),))

    def _die_if(self, now: bool) -> None:
        if now:
            self.kill()
            raise KilledError


def never_ran() -> ServiceError:
    """What an adapter raises of a job that is proved to have cost nothing."""
    told = make_failure(FailureClass.PROVIDER_OVERLOADED, "no runner was to be had", service="flux", unpaid=True)
    return ServiceError(told, retry=Retry.NEVER)


async def _leave() -> None:
    """What httpx says once a body has been sent."""
    request = httpx.Request("POST", "http://127.0.0.1:9")
    await watch(request)
    await request.extensions["trace"]("http11.send_request_body.complete", {})


@dataclass
class Life:
    """One request and everything that happens to it. `drops` says which results the server loses."""

    root: Path
    kind: Kind
    happenings: list[Happening | None]
    faults: Mapping[int, Fault]
    drops: Iterator[bool]
    settings: dict[str, Any] = field(default_factory=dict)
    finds: bool = False

    def __post_init__(self) -> None:
        self.store = FailingBlobStore(self.root, self.faults)
        self.service = PaidService(self.kind, iter(self.happenings), self.store.die, self.finds)
        self.desk = Desk(self.root, self.service, self.settings, self.store)
        self.void_job: str | None = None

    async def lived(self) -> GeneratedImages | Failure:
        """From the first attempt to the images, or to a failure for good, as the workflow goes about it."""
        ended = await self._made_once(generate_input(void_job=self.void_job))
        for _ in range(LOST_JOBS):
            if isinstance(ended, Failure) and ended.lost_call is not None:
                ended = await self._made_once(generate_input(void_job=self.void_job, lost_call=ended.lost_call))
        return ended

    async def _made_once(self, call: GenerateInput) -> GeneratedImages | Failure:
        made = await self._settled(self.desk.generating(call))
        if isinstance(made, Failure):
            return made
        if made.generated is not None:
            return made.generated
        assert made.job is not None
        job = JobInput(call=call, job=made.job)
        finished = await self._settled(self.desk.polling(job))
        if not isinstance(finished, Failure):
            return await self._settled(self.desk.storing(job))
        if finished.unpaid:
            self.void_job = made.job.job_id
        return finished

    async def spent(self) -> list[SpendCall]:
        """What the ledger says afterwards."""
        return await self.desk.spent()

    async def _settled(self, series: Series[_T]) -> _T | Failure:
        for _ in range(200):
            try:
                result = await self._kept(series.attempt)
            except KilledError:
                self.store.revive()
                continue
            except ApplicationError as error:
                if error.non_retryable:
                    return failure_of(error)
                await asyncio.sleep(min(delay_s(error), 0.06))
                continue
            if not next(self.drops, False):
                return result
        raise AssertionError("not settled after 200 attempts")

    async def _kept(self, attempt: Callable[[], Awaitable[_T]]) -> _T:
        result = await attempt()
        # A process that has died meanwhile tells nobody its result.
        if self.store.dead:
            raise KilledError
        return result
