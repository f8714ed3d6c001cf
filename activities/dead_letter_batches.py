"""`select-dead-letters`, `decide-dead-letters`, `look-at-dead-letters`: the work of the workflow `dead-letter-batch`.

Each may be repeated after a crash: a selection is written anew under another name, a decision has the same Update id
and so the same answer, and looking changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TypeVar

import structlog
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from activities.dead_letter_decisions import Answer, Fate, case_of, decide, fate_of
from activities.dead_letter_selections import ROOT, Selections
from activities.dead_letters import dead_letters
from contracts.dead_letter_batches import (
    DECIDE,
    LOOK,
    MOST,
    MOST_TOLD,
    PAGE,
    SELECT,
    Chosen,
    Chunk,
    Decided,
    Look,
    Seen,
    Selected,
    Told,
)
from contracts.dead_letter_orders import BatchOrder
from contracts.dead_letters import DeadLetter
from contracts.decisions import Redrive, changed, objection
from contracts.model import Frozen
from runtime.blobs import BlobStore

log = structlog.get_logger(__name__)

AT_ONCE = 8
"""Requests that are asked at once."""
ATTEMPTS = 8
"""How often a decision is tried until it counts as unanswered: one broken request must not hold up the others."""
LOOK_S = 0.5
"""Seconds between two looks."""
_TOLD_PER_CHUNK = 10

_T = TypeVar("_T")
_R = TypeVar("_R")


class AuditLine(Frozen):
    """One decision of a batch, as it stands in the store."""

    at: datetime
    request_id: str
    workflow_id: str
    run_id: str
    parking: int
    by: str
    reason: str
    decision: str
    """redrive or discard."""
    taken: str
    """taken, void (already decided), refused, unanswered, or invalid (left out)."""
    said: str = ""
    changes: tuple[str, ...] = ()
    """One `field: old -> new` each."""


class DeadLetterBatchActivities:
    """The activities of one worker that see batches through."""

    def __init__(self, client: Client, blobs: BlobStore) -> None:
        self._client = client
        self._selections = Selections(blobs)

    # --- select -------------------------------------------------------------------------------------------------

    @activity.defn(name=SELECT)
    async def select_dead_letters(self, order: BatchOrder) -> Selected:
        """Fix the selection, with what speaks against the decision for each letter."""
        async with _told():
            await self._selections.forget_old()
            letters = await self._found(order)
            # Oldest first, so that canaries are those that have waited longest.
            letters.sort(key=lambda letter: (letter.since is None, letter.since, letter.workflow_id))
            folder = f"{ROOT}/{order.name}/{activity.info().attempt}"
            refusals = []
            for first in range(0, len(letters), PAGE):
                page = await _each(lambda letter: self._checked(order, letter), letters[first : first + PAGE])
                await self._selections.write(folder, first, page)
                refusals += [Told(request_id=one.letter.request_id, said=one.refusal) for one in page if one.refusal]
        causes = Counter(letter.cause or "unknown" for letter in letters)
        return Selected(
            folder=folder,
            total=len(letters),
            invalid=len(refusals),
            causes=dict(causes.most_common()),
            refusals=tuple(refusals[:MOST_TOLD]),
        )

    async def _found(self, order: BatchOrder) -> list[DeadLetter]:
        letters: dict[tuple[str, str], DeadLetter] = {}
        async for letter in dead_letters(self._client, order.chosen):
            activity.heartbeat()
            letters[letter.workflow_id, letter.run_id] = letter
            if len(letters) > MOST:
                message = f"more than {MOST} dead letters are chosen: narrow the filter and order several batches"
                raise ApplicationError(message, non_retryable=True)
        return list(letters.values())

    async def _checked(self, order: BatchOrder, letter: DeadLetter) -> Chosen:
        activity.heartbeat()
        decision = order.decision(letter.parking)
        if not isinstance(decision, Redrive) or not decision.pays_anew:
            return Chosen(letter=letter)
        case = await case_of(self._client, letter)
        # One that was decided since is no mistake of the order: its decision will be void.
        reason = objection(decision, case.parked, case.request, case.services) if case.parked else None
        return Chosen(letter=letter, refusal=reason, changes=changed(decision, case.request, letter.service))

    # --- decide -------------------------------------------------------------------------------------------------

    @activity.defn(name=DECIDE)
    async def decide_dead_letters(self, chunk: Chunk) -> Decided:
        """Take the decision about some letters in a row; what each was is written down."""
        async with _told():
            chosen = await self._selections.read(chunk.folder, chunk.first, chunk.count)
            answers = await _each(lambda one: self._decide(chunk.order, one), chosen)
            silent = sum(answer is not None and answer.taken == "unanswered" for answer in answers)
            if silent and activity.info().attempt < ATTEMPTS:
                # Asked again, each gives the same answer as before.
                raise ApplicationError(f"no worker took {silent} decisions in time", type="NoWorker")
            lines = [_audit(chunk.order, one, answer) for one, answer in zip(chosen, answers, strict=True)]
            await self._selections.note(chunk.folder, chunk.first, lines)
        ways = Counter(line.taken for line in lines)
        taken = [chunk.first + place for place, line in enumerate(lines) if line.taken == "taken"]
        told = [
            Told(request_id=line.request_id, said=line.said)
            for line in lines
            if line.taken in {"refused", "unanswered"}
        ]
        log.info("dead_letters_decided", batch=chunk.order.name, decision=chunk.order.kind, **ways)
        return Decided(
            taken=tuple(taken),
            void=ways["void"],
            invalid=ways["invalid"],
            refused=ways["refused"] + ways["unanswered"],
            told=tuple(told[:_TOLD_PER_CHUNK]),
        )

    async def _decide(self, order: BatchOrder, one: Chosen) -> Answer | None:
        activity.heartbeat()
        if one.refusal is not None:
            return None
        decision = order.decision(one.letter.parking)
        return await decide(self._client, one.letter, decision, f"{order.name}-{one.letter.parking}")

    # --- look ---------------------------------------------------------------------------------------------------

    @activity.defn(name=LOOK)
    async def look_at_dead_letters(self, look: Look) -> Seen:
        """What became of some redriven letters, once all is known or the patience is over."""
        async with _told():
            # In order, so that each page is read once.
            waiting = {place: await self._selections.letter(look.folder, place) for place in sorted(look.places)}
            known: dict[int, tuple[DeadLetter, Fate]] = {}
            end = time.monotonic() + look.patience_s
            while True:
                fates = await _each(self._fate, [one.letter for one in waiting.values()])
                for (place, one), fate in zip(list(waiting.items()), fates, strict=True):
                    if fate.became != "open":
                        known[place] = (one.letter, fate)
                        del waiting[place]
                if not waiting or time.monotonic() + LOOK_S > end:
                    return _seen(known)
                await asyncio.sleep(LOOK_S)

    async def _fate(self, letter: DeadLetter) -> Fate:
        activity.heartbeat()
        return await fate_of(self._client, letter)


def _seen(known: dict[int, tuple[DeadLetter, Fate]]) -> Seen:
    def places(became: str) -> tuple[int, ...]:
        return tuple(place for place, (_, fate) in known.items() if fate.became == became)

    failed = [(letter, fate) for letter, fate in known.values() if fate.became == "failed"]
    told = [Told(request_id=letter.request_id, said=f"{fate.cause}: {fate.said}") for letter, fate in failed]
    return Seen(
        succeeded=places("succeeded"),
        failed=places("failed"),
        ended=places("ended"),
        causes=dict(Counter(fate.cause for _, fate in failed)),
        told=tuple(told[:_TOLD_PER_CHUNK]),
    )


def _audit(order: BatchOrder, one: Chosen, answer: Answer | None) -> AuditLine:
    return AuditLine(
        at=datetime.now(UTC),
        request_id=one.letter.request_id,
        workflow_id=one.letter.workflow_id,
        run_id=one.letter.run_id,
        parking=one.letter.parking,
        by=order.by,
        reason=order.reason,
        decision=order.kind,
        taken=answer.taken if answer else "invalid",
        said=answer.said if answer else one.refusal or "",
        changes=one.changes,
    )


async def _each(work: Callable[[_T], Awaitable[_R]], items: Iterable[_T]) -> list[_R]:
    """`work` on every item, some at once, in their order."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(item: _T) -> _R:
        async with slots:
            return await work(item)

    return list(await asyncio.gather(*(one(item) for item in items)))


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """Failures as one line; each of them may pass."""
    try:
        yield
    except TimeoutError:
        raise ApplicationError("no worker told what the decision depends on", type="NoWorker") from None
    except OSError as error:
        raise ApplicationError(f"the store failed: {error.strerror or error}", type="StoreFailed") from None
