"""Dialect `request` (contract 3.3): snake_case, names the service's type, passes other fields on to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import JsonValue

from contracts.dialects.base import (
    WORKFLOW_STARTED,
    CallbackFacts,
    DeliveredImage,
    WireNames,
    image_count,
    make_intake,
    make_reference,
    read_request,
    spend_facts,
    without_none,
)
from contracts.dialects.fields import FieldReader
from contracts.errors import Failure
from contracts.requests import Envelope, GeneratedImages, Intake, RequestReference

_REQUIRED = ("request_id", "prompt", "ai_service_type", "resolution", "aspect_ratio")
_NAMES = WireNames(steps="steps")


class RequestDialect:
    """Every field that the contract does not name is a custom field for the service."""

    name: ClassVar[str] = "request"
    envelope: ClassVar[Envelope] = "plain"
    callback_header: ClassVar[str] = "X-Api-Key"
    secret_field: ClassVar[str | None] = None

    def parse(self, body: Mapping[str, JsonValue]) -> Intake:
        """Read a request."""
        read = FieldReader(body, required=_REQUIRED)
        request_id = read.identifier("request_id")
        request = read_request(
            read,
            _NAMES,
            model=_model(read),
            service_hint=read.text("ai_service_type"),
            user_id=read.identifier("user_id"),
            campaign_id=read.identifier("campaign_id"),
        )
        reference = make_reference(self.name, request_id, read)
        return make_intake(reference, request.model_copy(update={"custom": read.others()}), read)

    def acknowledge(self, reference: RequestReference) -> Mapping[str, JsonValue]:  # noqa: ARG002 - names no id
        """n8n's own acknowledgement."""
        return WORKFLOW_STARTED

    def render_success(
        self,
        reference: RequestReference,
        generated: GeneratedImages,
        images: Sequence[DeliveredImage],
        facts: CallbackFacts,  # noqa: ARG002 - this body names none of them
    ) -> dict[str, JsonValue]:
        """The first image and how it was made."""
        first = images[0]
        metadata: dict[str, JsonValue] = {
            "seed_used": first.image.seed,
            "actual_width": first.image.width,
            "actual_height": first.image.height,
            "model_used_identifier": generated.model,
            "image_count": image_count(generated),
        }
        return {
            "request_id": reference.request_id,
            "status": "completed",
            **without_none({"image_url": first.url, "image_data": first.base64}),
            "metadata": {**without_none(metadata), **spend_facts(generated)},
        }

    def render_failure(
        self,
        reference: RequestReference,
        failure: Failure,
        facts: CallbackFacts,  # noqa: ARG002 - this body names none of them
    ) -> dict[str, JsonValue]:
        """The wire code and the message in one `error`."""
        return {
            "request_id": reference.request_id,
            "status": "failed",
            "error": {"message": failure.told, "code": failure.rule.code},
        }


def _model(read: FieldReader) -> str | None:
    name, identifier = read.text("model_name"), read.text("model_id")
    read.require_any("model_name", "model_id")
    return name or identifier
