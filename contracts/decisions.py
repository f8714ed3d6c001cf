"""What an operator may do with a request, and what a request says of itself."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, JsonValue, ValidationError

from contracts.errors import Failure
from contracts.model import Frozen
from contracts.requests import ImageGenerationResult, ImageRequest, Stage
from contracts.taxonomy import FailureClass

Step = Literal["generate", "deliver"]
Said = Annotated[str, Field(min_length=1, max_length=500)]
"""What an operator says; kept in the request's own log, so neither empty nor long."""


SHOWN_LIMIT = 200
"""Characters of a value that a log line shows."""


class Redrive(Frozen):
    """Take a parked request up again at the step that failed."""

    by: Said
    """Who decides."""
    reason: Said
    edits: dict[str, JsonValue] | None = None
    """Fields of `ImageRequest` to change; only for a failed generation."""
    service: str | None = None
    """Another configured service."""
    generate_again: bool = False
    """Allow a new, possibly second payment where the outcome of the first is unknown."""
    parking: int = 0
    """The parking this decision is about; 0 = whichever is current. A decision about an earlier one is void."""

    @property
    def pays_anew(self) -> bool:
        """Whether the redriven step may pay independently of what was tried before."""
        return bool(self.edits or self.service or self.generate_again)


class Discard(Frozen):
    """End a parked request for good."""

    by: Said
    reason: Said
    parking: int = 0


Decision = Redrive | Discard


class Parked(Frozen):
    """Why a request is parked, as memo and status show it."""

    parking: int
    """Counts from 1."""
    step: Step
    failure: Failure
    since: datetime

    @property
    def may_be_paid(self) -> bool:
        """Whether an image may have been made and billed that nobody has."""
        return may_be_paid(self.failure.failure, unpaid=self.failure.unpaid)


class Status(Frozen):
    """The answer of the `status` query."""

    request_id: str
    stage: Stage
    service: str
    generation: int
    parked: Parked | None = None
    result: ImageGenerationResult | None = None
    log: tuple[str, ...] = ()
    """What happened so far, one line each, newest last."""


class Case(Frozen):
    """The answer of the query `case`: all that a decision depends on."""

    parked: Parked | None = None
    request: ImageRequest | None = None
    """As it is now, with the edits of earlier redrives."""
    services: tuple[str, ...] = ()
    """Those that a redrive may name; () = any."""


MAYBE_PAID = frozenset({FailureClass.OUTCOME_UNKNOWN, FailureClass.JOB_LOST, FailureClass.JOB_TIMED_OUT})
"""Failures that say themselves that an image may have been made and billed, which the bill or another look may find."""
NOTHING_TO_DECIDE = "the request is not parked: there is nothing to decide"


def refusal(
    decision: Decision, parked: Parked | None, request: ImageRequest | None, services: tuple[str, ...] = ()
) -> str | None:
    """Why a decision cannot be taken now, or None when it can. `services` are the names to choose from; () = any."""
    if parked is None:
        return NOTHING_TO_DECIDE
    if decision.parking not in (0, parked.parking):
        return f"the decision is about parking {decision.parking}, but the request is in parking {parked.parking}"
    if isinstance(decision, Redrive) and decision.pays_anew and parked.step == "deliver":
        return "only the callback failed: it is redriven without edits, service or generate_again"
    if isinstance(decision, Redrive) and decision.service and services and decision.service not in services:
        return f"unknown image service {decision.service!r}; configured: {', '.join(services)}"
    if isinstance(decision, Redrive) and decision.edits:
        return _edit_refusal(decision.edits, request)
    return None


def objection(
    decision: Decision, parked: Parked | None, request: ImageRequest | None, services: tuple[str, ...] = ()
) -> str | None:
    """Why a decision should not be taken as it stands, or None: what refuses it, or a second payment left unsaid."""
    return refusal(decision, parked, request, services) or unsaid_payment(decision, parked)


def unsaid_payment(decision: Decision, parked: Parked | None) -> str | None:
    """Why a decision must say `generate_again`, or None: it would pay beside a call that may be paid for already."""
    if parked is None or not (parked.may_be_paid and pays_by_the_way(decision)):
        return None
    cause = parked.failure.failure
    return f"an image may have been paid for already ({cause}): to pay for another one, add generate_again"


def pays_by_the_way(decision: Decision) -> bool:
    """Whether a decision pays anew without saying so."""
    return isinstance(decision, Redrive) and decision.pays_anew and not decision.generate_again


def may_be_paid(cause: FailureClass | None, *, unpaid: bool | None) -> bool:
    """Whether an image may have been made and billed that nobody has; `unpaid` as in `Failure`."""
    return cause in MAYBE_PAID or unpaid is False or (cause is FailureClass.INTERNAL and not unpaid)


def _edit_refusal(edits: dict[str, JsonValue], request: ImageRequest | None) -> str | None:
    if request is None:
        return "a rejected request has nothing to edit"
    unknown = sorted(set(edits) - set(ImageRequest.model_fields))
    if unknown:
        return f"no such field: {', '.join(unknown)}; editable: {', '.join(sorted(ImageRequest.model_fields))}"
    try:
        prompt = edited(request, edits).prompt
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return None if prompt.strip() else "prompt: must not be empty"


def edited(request: ImageRequest, edits: dict[str, JsonValue] | None) -> ImageRequest:
    """The request with the operator's edits applied and checked."""
    return ImageRequest.model_validate({**request.model_dump(), **(edits or {})})


def changed(redrive: Redrive, request: ImageRequest | None, service: str | None) -> tuple[str, ...]:
    """What a redrive changes, one line each: the field, its value before and the value after."""
    before = request.model_dump(mode="json") if request else {}
    edits = sorted((redrive.edits or {}).items())
    lines = [f"{name}: {_short(before.get(name))} -> {_short(value)}" for name, value in edits]
    lines += [f"service: {service} -> {redrive.service}"] if redrive.service else []
    return (*lines, "generate again") if redrive.generate_again else tuple(lines)


def _short(value: JsonValue) -> str:
    # Readable in every language; half a surrogate pair is not, and Temporal takes none.
    text = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()
    return text if len(text) <= SHOWN_LIMIT else f"{text[: SHOWN_LIMIT - 1]}…"
