"""An image service that plays a script, and a store that fails at a chosen operation."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TypeVar

from activities.attempts import AttemptFailedError
from activities.services.base import Accepted, Call, Completed, InlineArtifact, Pending, RemoteArtifact
from contracts.errors import Failure, FailureClass
from contracts.requests import JobReference
from runtime.blobs import BlobEntry, LocalBlobStore
from tests.services.calls import picture

_T = TypeVar("_T")

PICTURE = picture()
OTHER_PICTURE = picture(width=24)
INLINE = Completed((InlineArtifact(PICTURE, seed=7),), model="flux-1", provider_request_id="req-1")
REMOTE = Completed((RemoteArtifact(url="https://images.example/1"), RemoteArtifact(url="https://images.example/2")))
JOB = JobReference(service="flux", job_id="job-1")
ACCEPTED = Accepted(JOB)

Answer = Completed | Accepted | Pending | bytes | None
Step = Answer | Exception | Callable[[], Awaitable[Answer]]


@dataclass
class ScriptedService:
    """Each call takes the next step; the last one repeats. Counts the calls."""

    name: str = "flux"
    submits: list[Step] = field(default_factory=lambda: [INLINE])
    polls: list[Step] = field(default_factory=lambda: [INLINE])
    finds: list[Step] = field(default_factory=lambda: [None])
    files: Mapping[str, list[Step]] = field(
        default_factory=lambda: {"https://images.example/1": [PICTURE], "https://images.example/2": [OTHER_PICTURE]}
    )
    submitted: list[Call] = field(default_factory=list)
    polled: list[JobReference] = field(default_factory=list)
    cancelled: list[JobReference] = field(default_factory=list)
    downloaded: list[str] = field(default_factory=list)

    async def submit(self, call: Call) -> Completed | Accepted:
        self.submitted.append(call)
        answer = await _play(self.submits)
        assert isinstance(answer, Completed | Accepted)
        return answer

    async def poll(self, job: JobReference, call: Call) -> Pending | Completed:
        self.polled.append(job)
        answer = await _play(self.polls)
        assert isinstance(answer, Pending | Completed)
        return answer

    async def find(self, call: Call) -> Completed | Accepted | None:
        answer = await _play(self.finds)
        assert answer is None or isinstance(answer, Completed | Accepted)
        return answer

    async def cancel(self, job: JobReference, call: Call) -> None:
        self.cancelled.append(job)

    async def download(self, artifact: RemoteArtifact, call: Call) -> bytes:
        self.downloaded.append(artifact.url)
        data = await _play(self.files[artifact.url])
        assert isinstance(data, bytes)
        return data

    async def aclose(self) -> None:
        """Nothing is open."""


async def _play(script: list[Step]) -> Answer:
    step = script.pop(0) if len(script) > 1 else script[0]
    if isinstance(step, Exception):
        raise step
    return await step() if callable(step) else step


class KilledError(BaseException):
    """The worker's process died here. No handler of errors may see it: a dead process has none."""

    def __init__(self) -> None:
        super().__init__()
        task = asyncio.current_task()
        # Nobody asks a dead process for its tasks' errors; unasked, the loop logs them whenever they are collected.
        if task is not None:
            task.add_done_callback(_unmourned)


def _unmourned(task: asyncio.Task[object]) -> None:
    if not task.cancelled():
        task.exception()


class Fault(Enum):
    """What goes wrong at one operation of the store."""

    REFUSED = "the operation fails and changes nothing"
    DOUBTFUL = "the operation is done, but fails all the same"
    KILLED_BEFORE = "the process dies before the operation"
    KILLED_AFTER = "the process dies after the operation"


class FailingBlobStore:
    """A `LocalBlobStore` as one process after the other sees it; the n-th operation of all meets its fault."""

    def __init__(self, root: Path, faults: Mapping[int, Fault]) -> None:
        self._store = LocalBlobStore(root)
        self._faults = faults
        self.dead = False
        self.operations: list[str] = []

    def revive(self) -> None:
        """A new process takes over."""
        self.dead = False

    def die(self) -> None:
        """The process is gone, wherever it just was."""
        self.dead = True

    async def read(self, key: str) -> bytes | None:
        return await self._meet("read", key, lambda: self._store.read(key))

    async def write(self, key: str, data: bytes) -> None:
        await self._meet("write", key, lambda: self._store.write(key, data))

    async def create(self, key: str, data: bytes) -> bool:
        return await self._meet("create", key, lambda: self._store.create(key, data))

    async def delete(self, key: str) -> None:
        await self._meet("delete", key, lambda: self._store.delete(key))

    async def stat(self, key: str) -> BlobEntry | None:
        return await self._meet("stat", key, lambda: self._store.stat(key))

    def list(self, prefix: str, after: str = "") -> AsyncIterator[BlobEntry]:
        return self._store.list(prefix, after)

    async def _meet(self, name: str, key: str, operate: Callable[[], Awaitable[_T]]) -> _T:
        if self.dead:
            raise KilledError
        fault = self._faults.get(len(self.operations))
        self.operations.append(f"{name} {key.partition('/')[0]}/{re.split('[/-]', key)[-1]}")
        self._before(fault)
        result = await operate()
        self._after(fault)
        return result

    def _before(self, fault: Fault | None) -> None:
        if fault is Fault.REFUSED:
            raise OSError("no space left on device")
        self._die_if(fault is Fault.KILLED_BEFORE)

    def _after(self, fault: Fault | None) -> None:
        if fault is Fault.DOUBTFUL:
            raise OSError("input/output error")
        self._die_if(fault is Fault.KILLED_AFTER)

    def _die_if(self, now: bool) -> None:
        if now:
            self.die()
            raise KilledError


@dataclass
class ScriptedGate:
    """An account's gate that admits unless it is told otherwise, and keeps what it hears."""

    refusal: AttemptFailedError | None = None
    asked: list[tuple[str, bool]] = field(default_factory=list)
    heard: list[tuple[str, FailureClass | None, float | None]] = field(default_factory=list)

    async def admit(self, service: str, *, failover: bool) -> None:
        self.asked.append((service, failover))
        if self.refusal is not None:
            raise self.refusal

    async def report(self, service: str, failure: Failure | None, retry_after_s: float | None) -> None:
        self.heard.append((service, failure.failure if failure else None, retry_after_s))
