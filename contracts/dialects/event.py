"""Dialect `event` (contract 3.1): the platform's canonical events, camelCase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import JsonValue

from contracts.dialects.base import (
    CallbackFacts,
    DeliveredImage,
    WireNames,
    image_count,
    make_intake,
    make_reference,
    queued,
    read_request,
    spend_facts,
    without_none,
)
from contracts.dialects.fields import FieldReader
from contracts.errors import Failure
from contracts.requests import Envelope, GeneratedImages, Intake, RequestReference

_REQUIRED = ("requestId", "correlationId", "prompt")
_NAMES = WireNames(
    negative_prompt="negativePrompt", aspect_ratio="aspectRatio", steps="inferenceSteps", cfg_scale="cfgScale"
)


class EventDialect:
    """AIImageGenerationRequested in; AIImageGenerationCompleted / Failed out."""

    name: ClassVar[str] = "event"
    envelope: ClassVar[Envelope] = "plain"
    callback_header: ClassVar[str] = "X-Api-Key"
    secret_field: ClassVar[str | None] = None

    def parse(self, body: Mapping[str, JsonValue]) -> Intake:
        """Read an AIImageGenerationRequested body."""
        read = FieldReader(body, required=_REQUIRED)
        request_id = read.identifier("requestId")
        correlation_id = read.identifier("correlationId")
        callback_url = read.text("callbackUrl")
        request = read_request(
            read,
            _NAMES,
            model=read.text("modelId"),
            user_id=read.identifier("userId"),
            campaign_id=read.identifier("campaignId"),
        )
        reference = make_reference(self.name, request_id, read, correlation_id)
        return make_intake(reference, request, read, callback_url)

    def acknowledge(self, reference: RequestReference) -> Mapping[str, JsonValue]:
        """The acknowledgement that contract 3.2 documents."""
        return queued(reference)

    def render_success(
        self,
        reference: RequestReference,
        generated: GeneratedImages,
        images: Sequence[DeliveredImage],
        facts: CallbackFacts,  # noqa: ARG002 - this body names none of them
    ) -> dict[str, JsonValue]:
        """AIImageGenerationCompleted, with the first image."""
        first = images[0]
        metadata: dict[str, JsonValue] = {
            "format": first.extension,
            "size": first.image.size,
            "width": first.image.width,
            "height": first.image.height,
            "imageCount": image_count(generated),
        }
        return {
            **_names(reference),
            "status": "completed",
            **without_none({"imageUrl": first.url, "imageData": first.base64}),
            "imageMetadata": {**without_none(metadata), **spend_facts(generated)},
            "hashValue": first.image.sha256,
        }

    def render_failure(
        self,
        reference: RequestReference,
        failure: Failure,
        facts: CallbackFacts,  # noqa: ARG002 - this body names none of them
    ) -> dict[str, JsonValue]:
        """AIImageGenerationFailed."""
        return {
            **_names(reference),
            "status": "failed",
            "errorCode": failure.rule.code,
            "errorMessage": failure.told,
        }


def _names(reference: RequestReference) -> dict[str, JsonValue]:
    return {
        "requestId": reference.request_id,
        "correlationId": reference.correlation_id or reference.request_id,
    }
