"""Dialect `correlation` (contract 3.2): snake_case in, camelCase out, named by a correlation id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import JsonValue

from contracts.dialects.base import (
    CallbackFacts,
    DeliveredImage,
    WireNames,
    image_count,
    image_facts,
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

FLUX = "FLUX"
"""The service hint of every model preference that names Flux."""

_REQUIRED = ("correlation_id", "prompt", "model_preference")


class CorrelationDialect:
    """The correlation id is the request's only id. Documented as a UUID, any text is taken for one."""

    name: ClassVar[str] = "correlation"
    envelope: ClassVar[Envelope] = "plain"
    callback_header: ClassVar[str] = "X-Api-Key"
    secret_field: ClassVar[str | None] = None

    def parse(self, body: Mapping[str, JsonValue]) -> Intake:
        """Read a request; `model_preference` names a service, not a model, so `model` stays empty."""
        read = FieldReader(body, required=_REQUIRED)
        correlation_id = read.text("correlation_id")
        request = read_request(
            read,
            WireNames(),
            service_hint=_service_hint(read.text("model_preference")),
            user_id=read.identifier("user_id"),
            campaign_id=read.identifier("campaign_id"),
            profile_id=read.identifier("influencer_profile_id"),
        )
        return make_intake(make_reference(self.name, correlation_id, read), request, read)

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
        """The first image and what is known of it."""
        first = images[0]
        return {
            "correlationId": reference.request_id,
            "status": "success",
            **without_none({"imageUrl": first.url, "imageData": first.base64}),
            "contentType": first.image.media_type,
            "metadata": {
                **image_facts(first.image),
                **without_none({"model": generated.model, "imageCount": image_count(generated)}),
                **spend_facts(generated),
            },
        }

    def render_failure(
        self,
        reference: RequestReference,
        failure: Failure,
        facts: CallbackFacts,  # noqa: ARG002 - this body names none of them
    ) -> dict[str, JsonValue]:
        """The wire code and the message."""
        return {
            "correlationId": reference.request_id,
            "status": "error",
            "errorCode": failure.rule.code,
            "errorMessage": failure.told,
        }


def _service_hint(preference: str | None) -> str | None:
    return FLUX if preference and FLUX.casefold() in preference.casefold() else preference
