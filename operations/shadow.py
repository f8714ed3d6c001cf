"""What the shadow's journal shows: where the old system answered and ended as we did, and where not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from contracts import search_attributes
from contracts.model import Frozen
from contracts.requests import ImageGenerationResult, Outcome, Stage
from starter.shadow.journal import Answered, CallbackRecord, CopyRecord, DroppedRecord, ImageFacts, Record

EXAMPLES = 10
"""Differences that a report shows of each kind."""
_LOOKS_AT_ONCE = 20


class OurOutcome(Frozen):
    """How a request stands here, as far as a callback would tell it."""

    completed: bool | None = None
    """None while it is under way."""
    error_code: str | None = None
    images: tuple[ImageFacts, ...] = ()


class Difference(Frozen):
    """One request where the two sides are not alike."""

    route: str
    request_id: str
    what: str
    ours: str
    theirs: str


@dataclass(slots=True)
class Comparison:
    """Counts of one side of the report, and examples of what differs."""

    compared: int = 0
    alike: int = 0
    differences: list[Difference] = field(default_factory=list)

    def add(self, difference: Difference | None) -> None:
        """Count one pair."""
        self.compared += 1
        if difference is None:
            self.alike += 1
        else:
            self.differences.append(difference)


@dataclass(slots=True)
class ShadowReport:
    """The whole report."""

    copies: int = 0
    dropped: int = 0
    """Copies that were not sent because too many waited."""
    acknowledgements: Comparison = field(default_factory=Comparison)
    unanswered: list[Difference] = field(default_factory=list)
    """Copies that the old system did not answer."""
    outcomes: Comparison = field(default_factory=Comparison)
    unfinished: int = 0
    """Outcomes of theirs whose request is still under way here."""
    untold: int = 0
    """Copies without an outcome of theirs so far."""
    unknown: int = 0
    """Outcomes of theirs for requests that we do not know."""


Look = Callable[[str], Awaitable[OurOutcome | None]]
"""Gives the outcome of a workflow id; None where there is none."""


async def compare(records: Iterable[Record], look: Look) -> ShadowReport:
    """The report on these records."""
    report, told, copied = ShadowReport(), dict[str, CallbackRecord](), set[str]()
    for record in records:
        match record:
            case CopyRecord():
                copied.add(record.workflow_id)
                _add_copy(report, record)
            case CallbackRecord():
                # A system that retries its callback tells the same outcome again; the last word counts.
                told[record.workflow_id] = record
            case DroppedRecord():
                report.dropped += record.count
    report.untold = len(copied - told.keys())
    await _add_outcomes(report, list(told.values()), look)
    return report


def _add_copy(report: ShadowReport, record: CopyRecord) -> None:
    report.copies += 1
    if record.theirs is None:
        shown, problem = _shown(record.ours), record.problem or "no answer"
        report.unanswered.append(_difference(record, "no answer", shown, problem))
    else:
        report.acknowledgements.add(_answers_differ(record, record.ours, record.theirs))


def _answers_differ(record: CopyRecord, ours: Answered, theirs: Answered) -> Difference | None:
    if ours.status != theirs.status:
        return _difference(record, "status", str(ours.status), str(theirs.status))
    if ours.sha256 == theirs.sha256 or _same_json(ours, theirs):
        return None
    return _difference(record, "body", _shown(ours), _shown(theirs))


def _same_json(ours: Answered, theirs: Answered) -> bool:
    # A body that was cut is no JSON; two that were hidden alike are alike enough.
    try:
        same: bool = json.loads(ours.head) == json.loads(theirs.head)
    except (ValueError, RecursionError):
        return False
    return same


async def _add_outcomes(report: ShadowReport, told: list[CallbackRecord], look: Look) -> None:
    slots = asyncio.Semaphore(_LOOKS_AT_ONCE)

    async def looked(record: CallbackRecord) -> OurOutcome | None:
        async with slots:
            return await look(record.workflow_id)

    for record, ours in zip(told, await asyncio.gather(*map(looked, told)), strict=True):
        if ours is None:
            report.unknown += 1
        elif ours.completed is None:
            report.unfinished += 1
        else:
            report.outcomes.add(_outcomes_differ(record, ours))


def _outcomes_differ(record: CallbackRecord, ours: OurOutcome) -> Difference | None:
    if ours.completed != record.completed:
        return _difference(record, "outcome", _ending(ours), _ending(record))
    if ours.error_code != record.error_code:
        return _difference(record, "error code", str(ours.error_code), str(record.error_code))
    theirs = [_appearance(image) for image in record.images]
    # Dialects with one image field carry the first of several; what came as a URL is not known.
    pairs = zip((_appearance(image) for image in ours.images), theirs, strict=False)
    for our_image, their_image in pairs:
        if their_image is not None and our_image != their_image:
            return _difference(record, "image", str(our_image), their_image)
    return None


def _ending(outcome: OurOutcome | CallbackRecord) -> str:
    return "completed" if outcome.completed else f"failed ({outcome.error_code})"


def _appearance(image: ImageFacts) -> str | None:
    """Type and dimensions: two generations of one prompt never have the same pixels, nor as many bytes."""
    return f"{image.media_type} {image.width}x{image.height}" if image.media_type else None


def _shown(answer: Answered) -> str:
    return f"{answer.status} {answer.head}"


def _difference(record: CopyRecord | CallbackRecord, what: str, ours: str, theirs: str) -> Difference:
    return Difference(route=record.route, request_id=record.request_id, what=what, ours=ours, theirs=theirs)


async def our_outcome(client: Client, workflow_id: str) -> OurOutcome | None:
    """How a request stands in Temporal; raises `RPCError` where that does not answer."""
    handle = client.get_workflow_handle(workflow_id, result_type=ImageGenerationResult)
    try:
        found = await handle.describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    code = found.typed_search_attributes.get(search_attributes.FAILURE_CODE)
    outcome = found.typed_search_attributes.get(search_attributes.OUTCOME)
    if outcome == Outcome.COMPLETED and found.close_time is not None:
        result: ImageGenerationResult = await handle.result()
        return OurOutcome(completed=True, images=_images(result))
    parked = found.typed_search_attributes.get(search_attributes.STAGE) == Stage.PARKED
    failed = parked or found.close_time is not None
    return OurOutcome(completed=False, error_code=code) if failed else OurOutcome()


def _images(result: ImageGenerationResult) -> tuple[ImageFacts, ...]:
    images = result.generated.images if result.generated else ()
    return tuple(
        ImageFacts(media_type=image.media_type, width=image.width, height=image.height, size=image.size)
        for image in images
    )
