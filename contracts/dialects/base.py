"""What every dialect does: parse, acknowledge, render. One small module per dialect, one shared test suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypedDict, Unpack

from pydantic import JsonValue

from contracts.dialects.fields import FieldReader
from contracts.errors import Failure
from contracts.identity import content_digest
from contracts.requests import Envelope, GeneratedImages, ImageRequest, Intake, RequestReference, StoredImage

WORKFLOW_STARTED: Mapping[str, JsonValue] = {"message": "Workflow was started"}
"""n8n's own acknowledgement."""


@dataclass(frozen=True, slots=True)
class DeliveredImage:
    """One image as a callback carries it: exactly one of `url` and `base64` is there."""

    image: StoredImage
    url: str | None = None
    base64: str | None = None

    @property
    def extension(self) -> str:
        """The file name extension of the media type, without a dot."""
        return self.image.media_type.partition("/")[2]


@dataclass(frozen=True, slots=True)
class CallbackFacts:
    """What a callback may name beside the outcome."""

    execution_id: str
    """The workflow run id."""
    security_token: str | None = field(default=None, repr=False)
    """The route's own secret, where the dialect's body carries one."""


class Dialect(Protocol):
    """A body dialect. Pure: no I/O, no clock."""

    name: ClassVar[str]
    envelope: ClassVar[Envelope]
    """The callback envelope unless the route says otherwise."""
    callback_header: ClassVar[str]
    """The callback header that carries the shared secret unless the route says otherwise."""
    secret_field: ClassVar[str | None]
    """A body field that holds a secret: checked and dropped before parsing."""

    def parse(self, body: Mapping[str, JsonValue]) -> Intake:
        """Read a webhook body; never raises for any JSON object."""
        ...

    def acknowledge(self, reference: RequestReference) -> Mapping[str, JsonValue]:
        """The body of the immediate 200 answer."""
        ...

    def render_success(
        self,
        reference: RequestReference,
        generated: GeneratedImages,
        images: Sequence[DeliveredImage],
        facts: CallbackFacts,
    ) -> dict[str, JsonValue]:
        """The callback of a completed request; `images` has at least one."""
        ...

    def render_failure(
        self, reference: RequestReference, failure: Failure, facts: CallbackFacts
    ) -> dict[str, JsonValue]:
        """The callback of a failed request."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WireNames:
    """What a dialect calls the fields that every dialect has under the one or the other name."""

    negative_prompt: str = "negative_prompt"
    aspect_ratio: str = "aspect_ratio"
    steps: str = "inference_steps"
    cfg_scale: str = "cfg_scale"


class OwnFields(TypedDict, total=False):
    """The canonical fields that each dialect reads in its own way."""

    model: str | None
    service_hint: str | None
    user_id: str | None
    campaign_id: str | None
    profile_id: str | None
    custom: dict[str, JsonValue] | None


def read_request(read: FieldReader, names: WireNames, **own: Unpack[OwnFields]) -> ImageRequest:
    """The canonical request: the fields that all dialects have, and the dialect's own."""
    width, height = read.size("resolution") or (None, None)
    return ImageRequest(
        prompt=read.text("prompt") or "",
        negative_prompt=read.text(names.negative_prompt),
        width=width,
        height=height,
        aspect_ratio=read.ratio(names.aspect_ratio),
        seed=read.integer("seed"),
        steps=read.integer(names.steps),
        cfg_scale=read.number(names.cfg_scale),
        **own,
    )


def make_reference(
    dialect: str, request_id: str | None, read: FieldReader, correlation_id: str | None = None
) -> RequestReference:
    """The reference by the body's own id or, without a usable one, by the digest of what the dialect read."""
    return RequestReference(
        request_id=request_id or derived_id(read.used()), dialect=dialect, correlation_id=correlation_id
    )


def make_intake(
    reference: RequestReference, request: ImageRequest, read: FieldReader, callback_url: str | None = None
) -> Intake:
    """The parsed body: the request only where nothing is missing or wrong."""
    return Intake(
        reference=reference,
        request=None if read.problems else request,
        problems=tuple(read.problems),
        callback_url=callback_url,
    )


def derived_id(body: Mapping[str, JsonValue]) -> str:
    """The request id of a body without a usable one: the digest of its content."""
    return f"sha256-{content_digest(dict(body))}"


def queued(reference: RequestReference) -> Mapping[str, JsonValue]:
    """The acknowledgement that contract 3.1 and 3.2 document."""
    return {
        "status": "received",
        "message": "AI image generation request queued.",
        "correlationId": reference.correlation_id or reference.request_id,
    }


def image_count(generated: GeneratedImages) -> int | None:
    """How many images there are, for callbacks that carry only the first; None where it is the only one."""
    return len(generated.images) if len(generated.images) > 1 else None


def image_facts(image: StoredImage) -> dict[str, JsonValue]:
    """What is known of an image, under the names that the dialects with free metadata share."""
    return without_none(
        {
            "width": image.width,
            "height": image.height,
            "size": image.size,
            "sha256": image.sha256,
            "seed": image.seed,
        }
    )


def spend_facts(generated: GeneratedImages) -> dict[str, JsonValue]:
    """Which service made the images, what they cost and what it could not honour, for the dialects' metadata.

    Nothing where nothing of it can matter to Odoo, so that bodies stay what n8n sent.
    """
    cost, warnings = generated.cost, generated.warnings
    if not (cost or warnings or generated.tried):
        return {}
    return without_none(
        {
            "service": generated.service,
            "cost": f"{cost.amount:f}" if cost else None,
            "currency": cost.currency if cost else None,
            "warnings": list(warnings) if warnings else None,
        }
    )


def without_none(fields: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}
