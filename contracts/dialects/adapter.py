"""Dialect `adapter` (contract 3.4, OpenAPI version v1): carries every image and our run id."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import JsonValue

from contracts.dialects.base import (
    WORKFLOW_STARTED,
    CallbackFacts,
    DeliveredImage,
    WireNames,
    image_facts,
    make_intake,
    make_reference,
    read_request,
    spend_facts,
    without_none,
)
from contracts.dialects.fields import FieldReader, as_custom
from contracts.errors import Failure
from contracts.requests import Envelope, GeneratedImages, Intake, RequestReference

_REQUIRED = ("request_id", "prompt", "user_id", "influencer_profile_id")
_DEFAULTS: Mapping[str, JsonValue] = {
    "resolution": "1024x1024",
    "aspect_ratio": "1:1",
    "inference_steps": 20,
    "cfg_scale": 7.5,
}
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_NAME_LENGTH = 100


class AdapterDialect:
    """Numbers name the user, the profile and the campaign; custom fields stand in `custom_params`."""

    name: ClassVar[str] = "adapter"
    envelope: ClassVar[Envelope] = "jsonrpc"
    callback_header: ClassVar[str] = "X-N8N-Signature"
    secret_field: ClassVar[str | None] = None

    def parse(self, body: Mapping[str, JsonValue]) -> Intake:
        """Read a request."""
        read = FieldReader(body, required=_REQUIRED, defaults=_DEFAULTS)
        request_id = read.text("request_id")
        request = read_request(
            read,
            WireNames(),
            model=read.text("model_id"),
            user_id=_number(read, "user_id"),
            campaign_id=_number(read, "campaign_id"),
            profile_id=_number(read, "influencer_profile_id"),
            custom=as_custom(read.mapping("custom_params") or {}),
        )
        return make_intake(make_reference(self.name, request_id, read), request, read)

    def acknowledge(self, reference: RequestReference) -> Mapping[str, JsonValue]:  # noqa: ARG002 - names no id
        """n8n's own acknowledgement."""
        return WORKFLOW_STARTED

    def render_success(
        self,
        reference: RequestReference,
        generated: GeneratedImages,
        images: Sequence[DeliveredImage],
        facts: CallbackFacts,
    ) -> dict[str, JsonValue]:
        """All images."""
        spent = spend_facts(generated)
        return {
            "request_id": reference.request_id,
            "status": "success",
            "images": [
                _image(image, _file_name(reference.request_id, number, image.extension), spent)
                for number, image in enumerate(images, start=1)
            ],
            "n8n_execution_id": facts.execution_id,
        }

    def render_failure(
        self, reference: RequestReference, failure: Failure, facts: CallbackFacts
    ) -> dict[str, JsonValue]:
        """The wire code and the message."""
        return {
            "request_id": reference.request_id,
            "status": "failure",
            "error_message": failure.told,
            "error_code": failure.rule.code,
            "n8n_execution_id": facts.execution_id,
        }


def _number(read: FieldReader, name: str) -> str | None:
    number = read.integer(name)
    return None if number is None else str(number)


def _image(delivered: DeliveredImage, file_name: str, spent: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {
        **without_none({"image_url": delivered.url, "image_data_b64": delivered.base64}),
        "filename": file_name,
        "content_type": delivered.image.media_type,
        "metadata": {**image_facts(delivered.image), **spent},
    }


def _file_name(request_id: str, number: int, extension: str) -> str:
    return f"{_UNSAFE.sub('_', request_id[:_NAME_LENGTH])}-{number}.{extension}"
