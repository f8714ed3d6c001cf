"""Dialect `endpoint` (contract 3.5): the request in `params`, the outcome in `result_payload`, a secret in the body."""

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
    without_none,
)
from contracts.dialects.fields import FieldReader
from contracts.errors import Failure
from contracts.requests import Envelope, GeneratedImages, Intake, RequestReference

_SECRET = "security_token"  # noqa: S105 - the field's name
_REQUIRED = ("ai_generation_request_id", "params", "odoo_callback_url")


class EndpointDialect:
    """Every further field in `params` is a custom field for the service."""

    name: ClassVar[str] = "endpoint"
    envelope: ClassVar[Envelope] = "jsonrpc"
    callback_header: ClassVar[str] = "X-N8N-Webhook-Token"
    secret_field: ClassVar[str | None] = _SECRET

    def parse(self, body: Mapping[str, JsonValue]) -> Intake:
        """Read a request. A `security_token` goes nowhere: neither into a custom field nor into a digest."""
        read = FieldReader(_without_secret(body), required=_REQUIRED)
        request_id = read.text("ai_generation_request_id")
        callback_url = read.text("odoo_callback_url")
        params = read.mapping("params")
        inner = FieldReader(
            params or {},
            required=() if params is None else ("prompt",),
            prefix="params.",
            problems=read.problems,
        )
        request = read_request(inner, WireNames(), model=inner.text("model_id"))
        request = request.model_copy(update={"custom": inner.others()})
        return make_intake(make_reference(self.name, request_id, read), request, read, callback_url)

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
        """The first image and its file's facts."""
        first = images[0]
        data: dict[str, JsonValue] = {
            "image_url": first.url,
            "image_data": first.base64,
            "file_format": first.extension,
            "file_size": first.image.size,
            "width": first.image.width,
            "height": first.image.height,
            "mimetype": first.image.media_type,
            "image_count": image_count(generated),
        }
        return _result(reference, facts, {"status": "success", "data": without_none(data)})

    def render_failure(
        self, reference: RequestReference, failure: Failure, facts: CallbackFacts
    ) -> dict[str, JsonValue]:
        """The message, and the wire code as its details."""
        error: dict[str, JsonValue] = {"message": failure.told, "details": failure.rule.code}
        return _result(reference, facts, {"status": "failure", "error_data": error})


def _result(reference: RequestReference, facts: CallbackFacts, payload: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {
        "ai_generation_request_id": reference.request_id,
        **without_none({_SECRET: facts.security_token}),
        "result_payload": payload,
    }


def _without_secret(body: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    params = body.get("params")
    if isinstance(params, dict) and _SECRET in params:
        body = {**body, "params": _without(params)}
    return _without(body) if _SECRET in body else body


def _without(fields: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {name: value for name, value in fields.items() if name != _SECRET}
