"""The canonical request, outcome and steps: what the workflow speaks, whatever dialect Odoo speaks."""

from __future__ import annotations

from decimal import Decimal
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

    @property
    def odoo_user(self) -> str | None:
        """Odoo's numeric id of who asked; None where there is none: any other name of a person is personal."""
        user = self.user_id or ""
        return user if user.isascii() and user.isdecimal() else None


class RecordReference(Frozen):
    """The Odoo record that a request belongs to, where Odoo has no addon: read and written back by RPC."""

    model: str
    record_id: int
    action: str
    """The server action that posted the webhook."""


class Intake(Frozen):
    """A parsed webhook body. `request` is there exactly when there are no `problems`."""

    reference: RequestReference
    request: ImageRequest | None = None
    problems: tuple[str, ...] = ()
    """One sentence for each missing or wrong field, naming it."""
    callback_url: str | None = None
    record: RecordReference | None = None
    """Only where the body is a record of Odoo; `request` then holds what the body carried."""


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
    record: RecordReference | None = None
    """The record to complete the request from and to write the outcome back to."""
    failover: tuple[str, ...] = ()
    """The services that are tried in turn once `service` is overloaded or its circuit is open."""
    leased: tuple[str, ...] = ()
    """The services whose concurrency is limited: a slot is leased before they are called."""
    tenant: str | None = None
    """The fairness key: whose requests share one portion of a service's capacity."""
    priority: int = 3
    """1 (first) to 5, as Temporal counts."""


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


class Cost(Frozen):
    """What a generation cost."""

    amount: Decimal
    currency: str
    """ISO 4217, or the service's own unit, such as credits."""
    reported: bool = True
    """Whether the service said so; else it is the configured price."""


class GeneratedImages(Frozen):
    """What a service delivered and the store holds."""

    service: str
    model: str | None = None
    images: tuple[StoredImage, ...]
    provider_request_id: str | None = None
    warnings: tuple[str, ...] | None = None
    """One sentence for each parameter that the service could not honour and that was dropped or emulated."""
    cost: Cost | None = None
    tried: tuple[str, ...] | None = None
    """The services that were to make the images before this one did."""


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


class JobFinished(Frozen):
    """The result of `poll-job`: where the images are stands in the store."""

    images: int


class ReadRecordInput(Frozen):
    """The input of `read-record`."""

    reference: RequestReference
    route: str
    odoo: str
    record: RecordReference
    request: ImageRequest | None = None
    """What the webhook's body already said."""
    policy: StepPolicy
    traceparent: str


class RecordRead(Frozen):
    """The result of `read-record`: the completed request, or the problem that rejects it."""

    request: ImageRequest | None = None
    problem: str | None = None


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
    workflow_id: str | None = None
    """Where a service's own webhook is to ring."""
    failover: bool = False
    """Whether another service can take the request: then an open circuit is not waited for."""
    odoo: str | None = None
    """The Odoo that pays, for the spend ledger."""
    void_job: str | None = None
    """The job of this generation that is proved never to have run: another call may stand in its place."""
    lost_call: int | None = None
    """The call of this generation whose job is lost (`Failure.lost_call`): another follows if the policy allows it."""


class JobInput(Frozen):
    """The input of every activity that follows a job: `poll-job`, `store-images`, `cancel-job`, `collect-images`."""

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
    record: RecordReference | None = None
    """Where set, the outcome is written to this record by RPC in place of a callback."""
    quick: bool = False
    """A first, short try inside the workflow's own worker: it never retries by itself."""
    traceparent: str
    execution_id: str | None = None
    """What Odoo is told to be the execution, where another one than the request's own posts it again."""


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
