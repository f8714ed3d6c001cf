"""The canonical request, outcome and steps: what the workflow speaks, whatever dialect Odoo speaks."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import JsonValue

from contracts.errors import Failure
from contracts.model import Frozen
from contracts.policies import Policies, StepPolicy

Envelope = Literal["plain", "jsonrpc"]


class RequestReference(Frozen):
    """What names a request to Odoo; every callback repeats it."""

    request_id: str
    dialect: str
    correlation_id: str | None = None
    """Only where the dialect has one beside the request id."""


class ImageRequest(Frozen):
    """What Odoo wants drawn."""

    prompt: str
    negative_prompt: str | None = None
    model: str | None = None
    service_hint: str | None = None
    """What the dialect says about the service; the route maps it to a configured one."""
    width: int | None = None
    """Pixels."""
    height: int | None = None
    aspect_ratio: str | None = None
    """As "16:9"; used where no size is given."""
    seed: int | None = None
    steps: int | None = None
    cfg_scale: float | None = None
    user_id: str | None = None
    campaign_id: str | None = None
    profile_id: str | None = None
    custom: dict[str, JsonValue] | None = None
    """Further fields of the dialects that pass them on to the service."""


class Intake(Frozen):
    """A parsed webhook body. `request` is there exactly when there are no `problems`."""

    reference: RequestReference
    request: ImageRequest | None = None
    problems: tuple[str, ...] = ()
    """One sentence for each missing or wrong field, naming it."""
    callback_url: str | None = None


class ImageGenerationInput(Frozen):
    """The input of the `image-generation` workflow: the request and the snapshot of its route's policies."""

    reference: RequestReference
    route: str
    odoo: str
    """The name of the Odoo in the settings, which is also the queue of its callbacks."""
    service: str
    request: ImageRequest | None = None
    problem: str | None = None
    """Why the body was refused, when `request` is absent."""
    callback_url: str | None = None
    store_key: str
    envelope: Envelope = "plain"
    services: tuple[str, ...] = ()
    """The services an operator may redrive to: all that were configured when the request came."""
    policies: Policies
    traceparent: str


class StoredImage(Frozen):
    """An image in the store, named by the SHA-256 of its bytes."""

    sha256: str
    media_type: str
    size: int
    """Bytes."""
    width: int
    """Pixels."""
    height: int
    seed: int | None = None


class GeneratedImages(Frozen):
    """What a service delivered and the store holds."""

    service: str
    model: str | None = None
    images: tuple[StoredImage, ...]
    provider_request_id: str | None = None


class JobReference(Frozen):
    """A job at a service that finishes later. Small, free of secrets, safe in a history."""

    service: str
    job_id: str
    status_url: str | None = None
    result_url: str | None = None
    cancel_url: str | None = None


class Generation(Frozen):
    """The result of `generate-image`: the images, or the job that will make them."""

    generated: GeneratedImages | None = None
    job: JobReference | None = None


class GenerateInput(Frozen):
    """The input of `generate-image`."""

    reference: RequestReference
    route: str
    service: str
    request: ImageRequest
    store_key: str
    generation: int
    """Rises with every redrive that may pay again; each generation is paid for at most once."""
    policy: StepPolicy
    traceparent: str


class JobInput(Frozen):
    """The input of `collect-images` and `cancel-job`."""

    call: GenerateInput
    job: JobReference


class ImageOutcome(Frozen):
    """How a request ended, as Odoo is told: images or a failure."""

    generated: GeneratedImages | None = None
    failure: Failure | None = None


class Delivery(Frozen):
    """What is fixed when a delivery begins, so that one idempotency key always carries one body."""

    number: int
    """Rises only when the outcome changes."""
    envelope: Envelope
    images: Literal["inline", "url"]
    expires_at: int
    """Epoch seconds until which image URLs in this delivery are valid."""


class DeliverInput(Frozen):
    """The input of `deliver-callback`."""

    reference: RequestReference
    route: str
    odoo: str
    callback_url: str | None = None
    outcome: ImageOutcome
    delivery: Delivery
    policy: StepPolicy
    quick: bool = False
    """A first, short try inside the workflow's own worker: it never retries by itself."""
    traceparent: str


class DeliveryReceipt(Frozen):
    """The result of `deliver-callback`."""

    http_status: int


class Stage(StrEnum):
    """Where a request stands."""

    GENERATING = "generating"
    DELIVERING = "delivering"
    PARKED = "parked"
    SETTLED = "settled"


class Outcome(StrEnum):
    """How a request ended."""

    COMPLETED = "completed"
    REJECTED = "rejected"
    DISCARDED = "discarded"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class ImageGenerationResult(Frozen):
    """The result of the workflow. An expired request has none: its run ends Failed."""

    outcome: Outcome
    generated: GeneratedImages | None = None
    failure: Failure | None = None
