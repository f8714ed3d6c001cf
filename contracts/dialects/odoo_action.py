"""Dialect `odoo_action` (contract 3.6): what Odoo's own "Send Webhook Notification" posts, without any addon.

A body names a record and carries whichever of its fields somebody chose; the rest is read from the record by RPC, and
the outcome is written back to it. Which fields mean what is the route's business: `names` maps parameters to fields.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from pydantic import JsonValue

from contracts.dialects.base import (
    WORKFLOW_STARTED,
    CallbackFacts,
    DeliveredImage,
    image_count,
    image_facts,
    make_intake,
    make_reference,
    spend_facts,
    without_none,
)
from contracts.dialects.fields import Body, FieldReader
from contracts.errors import Failure
from contracts.identity import content_digest
from contracts.requests import (
    Envelope,
    GeneratedImages,
    ImageRequest,
    Intake,
    RecordRead,
    RecordReference,
    RequestReference,
)

PARAMETERS = (
    "prompt",
    "negative_prompt",
    "model",
    "service",
    "resolution",
    "aspect_ratio",
    "seed",
    "steps",
    "cfg_scale",
    "user_id",
    "campaign_id",
    "profile_id",
)
"""What a field of a record can mean."""

Names = Mapping[str, str]
"""Parameter -> the field that means it."""

_OWN_NAMES: Names = MappingProxyType({parameter: parameter for parameter in PARAMETERS})
_REQUIRED = ("_action", "_id", "_model")
_BYTES = re.compile(r"b'([^'\s]*)'")
"""What Python's repr makes of base64."""
_MODEL = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
_BODY_ONLY = frozenset({"service"})
_DIGITS = 16


@dataclass(frozen=True, slots=True)
class RecordIntake:
    """A parsed body, and whether it says when the record was written: if not, only time tells a repeated post."""

    intake: Intake
    is_dated: bool


class OdooActionDialect:
    """Names a record. A route gives the names of its fields; without one, fields are called like the parameters."""

    name: ClassVar[str] = "odoo_action"
    envelope: ClassVar[Envelope] = "plain"
    callback_header: ClassVar[str] = "X-Api-Key"
    secret_field: ClassVar[str | None] = None

    def parse(self, body: Mapping[str, JsonValue]) -> Intake:
        """Read a post whose fields are called like the parameters."""
        return parse_record(body, _OWN_NAMES).intake

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
        """The first image, for a caller that waits; Odoo's record is written by RPC."""
        first = images[0]
        metadata = {**image_facts(first.image), "model": generated.model, "image_count": image_count(generated)}
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
        """The wire code and the message."""
        return {
            "request_id": reference.request_id,
            "status": "failed",
            "error": {"message": failure.told, "code": failure.rule.code},
        }


def parse_record(body: Body, names: Names, database: str = "") -> RecordIntake:
    """Read a post from that Odoo database; never raises for any JSON object."""
    read = _RecordReader(body, required=_REQUIRED)
    record = _record(read)
    written = read.text("write_date")
    request = _request(read, names)
    version = written or content_digest(read.used())[:_DIGITS]
    request_id = record_request_id(database, record, version) if record else None
    intake = make_intake(make_reference(OdooActionDialect.name, request_id, read), request, read)
    return RecordIntake(intake.model_copy(update={"record": record}), written is not None)


def record_request_id(database: str, record: RecordReference, version: str) -> str:
    """The id that such a request gets, since Odoo gives it none."""
    return ":".join(filter(None, (database, record.model, str(record.record_id), version, record.action)))


def is_model_name(text: str) -> bool:
    """Whether a model of Odoo can be called so."""
    return _MODEL.fullmatch(text) is not None


def lacking(request: ImageRequest | None, names: Names) -> dict[str, str]:
    """The parameters that a request does not have yet, and the fields of the record that mean them."""
    known = _known(request) if request else frozenset[str]()
    return {name: field for name, field in names.items() if name not in known | _BODY_ONLY}


def completed(request: ImageRequest | None, record: Body, names: Names) -> RecordRead:
    """The request with what it lacks taken from the record, or the problem that rejects it."""
    missing = lacking(request, names)
    read = _RecordReader(record, required=[missing["prompt"]] if "prompt" in missing else ())
    found = _request(read, missing)
    if read.problems:
        return RecordRead(problem="; ".join(read.problems))
    carried = request.model_dump(include=set(_known(request, attributes=True))) if request else {}
    return RecordRead(request=ImageRequest.model_validate({**found.model_dump(), **carried}))


def _record(read: FieldReader) -> RecordReference | None:
    model, number, action = read.text("_model"), read.integer("_id"), read.text("_action")
    if number is not None and number <= 0:
        read.problems.append("_id must be the id of a record, which is above 0")
        return None
    if model is not None and not is_model_name(model):
        # It becomes part of a URL.
        read.problems.append("_model must be the technical name of a model, as res.partner")
        return None
    if model is None or number is None or action is None:
        return None
    return RecordReference(model=model, record_id=number, action=action)


def _request(read: FieldReader, names: Names) -> ImageRequest:
    def text(parameter: str) -> str | None:
        return read.text(names[parameter]) if parameter in names else None

    def identifier(parameter: str) -> str | None:
        return read.identifier(names[parameter]) if parameter in names else None

    width, height = (read.size(names["resolution"]) if "resolution" in names else None) or (None, None)
    return ImageRequest(
        prompt=text("prompt") or "",
        negative_prompt=text("negative_prompt"),
        model=text("model"),
        service_hint=text("service"),
        width=width,
        height=height,
        aspect_ratio=read.ratio(names["aspect_ratio"]) if "aspect_ratio" in names else None,
        seed=read.integer(names["seed"]) if "seed" in names else None,
        steps=read.integer(names["steps"]) if "steps" in names else None,
        cfg_scale=read.number(names["cfg_scale"]) if "cfg_scale" in names else None,
        user_id=identifier("user_id"),
        campaign_id=identifier("campaign_id"),
        profile_id=identifier("profile_id"),
    )


_ATTRIBUTES: Mapping[str, Collection[str]] = MappingProxyType(
    {"service": ("service_hint",), "resolution": ("width", "height")}
)


def _known(request: ImageRequest, *, attributes: bool = False) -> frozenset[str]:
    present = {name: _ATTRIBUTES.get(name, (name,)) for name in PARAMETERS}
    known = {name: held for name, held in present.items() if getattr(request, next(iter(held)))}
    return frozenset(each for held in known.values() for each in held) if attributes else frozenset(known)


class _RecordReader(FieldReader):
    """Reads values as Odoo writes them."""

    def _present(self, name: str) -> JsonValue:
        value = super()._present(name)
        # Every empty field is false, but an empty number, which is 0.
        if value is False or (isinstance(value, int | float) and not value):
            return None
        match = _BYTES.fullmatch(value) if isinstance(value, str) else None
        return match[1].replace("\\n", "") if match else value
