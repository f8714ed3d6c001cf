"""Posts of dialect `odoo_action`, read as the route says what its records' fields mean. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from contracts.dialects.odoo_action import RecordIntake, parse_record
from runtime.settings import RecordSettings


def record_intake(settings: RecordSettings, body: Mapping[str, JsonValue], database: str) -> RecordIntake:
    """The parsed post; one about a model that the route is not for names no record, so that none is touched."""
    parsed = parse_record(body, settings.fields.names(), database)
    record = parsed.intake.record
    if record is None or not settings.models or record.model in settings.models:
        return parsed
    problem = f"_model must be one of this webhook's: {', '.join(settings.models)}"
    refused = {"request": None, "record": None, "problems": (*parsed.intake.problems, problem)}
    return RecordIntake(parsed.intake.model_copy(update=refused), parsed.is_dated)
