"""The Protocol that every image service implements, and the error it raises. Only Temporal retries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from activities.attempts import AttemptFailedError
from contracts.model import Frozen
from contracts.requests import Cost, ImageRequest, JobReference


@dataclass(frozen=True, slots=True)
class Call:
    """One call on behalf of a request."""

    request: ImageRequest
    correlation_id: str
    """The request id as a header carries it (`X-Correlation-Id`)."""
    traceparent: str
    timeout_s: float
    key: str | None = None
    """Names this generation of the request and no other: where a service lets us choose a job's id, it is made of this.
    None = the correlation id does it."""
    webhook_url: str | None = None
    """Where set, the service is asked to ring there once a job is finished. It names nothing secret."""


@dataclass(frozen=True, slots=True)
class InlineArtifact:
    """An image that came inside the answer. Lives inside one activity only."""

    data: bytes
    seed: int | None = None


class RemoteArtifact(Frozen):
    """An image that is to be downloaded. Small, kept in the store until it is."""

    url: str
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Completed:
    """The service has made the images."""

    artifacts: tuple[InlineArtifact | RemoteArtifact, ...]
    model: str | None = None
    provider_request_id: str | None = None
    warnings: tuple[str, ...] = ()
    """One sentence for each parameter that the service could not honour and that was dropped or emulated."""
    cost: Cost | None = None
    """What the images cost, where the service says so."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The service has taken a job that finishes later."""

    job: JobReference
    cost: Cost | None = None
    """What the job costs, where the service already says so."""


@dataclass(frozen=True, slots=True)
class Pending:
    """The job is not finished."""


class ServiceError(AttemptFailedError):
    """A call to an image service failed."""


class ImageService(Protocol):
    """An image-service account. Every method raises `ServiceError` and nothing else for what the service does."""

    name: str

    async def submit(self, call: Call) -> Completed | Accepted:
        """Ask for the images. Possibly paid: called at most once per generation unless a failure proves it unpaid."""
        ...

    async def poll(self, job: JobReference, call: Call) -> Pending | Completed:
        """Look at a job."""
        ...

    async def find(self, call: Call) -> Completed | Accepted | None:
        """Look for what an earlier submit with the same correlation id led to; None where the service cannot tell."""
        ...

    async def cancel(self, job: JobReference, call: Call) -> None:
        """Cancel a job where the service can; a job that is too late to cancel is no error."""
        ...

    async def download(self, artifact: RemoteArtifact, call: Call) -> bytes:
        """Fetch an image, without credentials, within the size cap and from allowed hosts only."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...
