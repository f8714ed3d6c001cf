"""What the workflow `dead-letter-batch` is told and says: one decision about many dead letters, taken at a pace.

The chosen letters stand in the store, in pages; the workflow knows them by their place in the selection.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field, JsonValue

from contracts.dead_letter_orders import BatchOrder
from contracts.dead_letters import DeadLetter
from contracts.model import Frozen

SELECT, DECIDE, LOOK = "select-dead-letters", "decide-dead-letters", "look-at-dead-letters"
"""Activities."""
PAUSE, RESUME, CANCEL = "pause", "resume", "cancel"
"""Updates, and Signals for when no worker answers."""
PROGRESS = "progress"
"""Query."""
MEMO_BATCH = "batch"
"""Memo key under which a batch is listed without a worker."""

PAGE = 250
"""Letters in one object of the store."""
MOST = 20_000
"""Letters of one batch: what the workflow remembers of each must fit its payloads."""
MOST_TOLD = 50
"""Single requests that a report names; all of them stand in the store."""
MOST_NOTED = 10
"""Single requests that the memo names."""
LOG_LIMIT = 40
LEAST_SAMPLE = 10
"""Outcomes after which the error share of the rest counts."""
_MOST_AT_ONCE = 50


class Outcome(StrEnum):
    """How a batch ended."""

    DONE = "done"
    REFUSED = "refused"
    """It was not begun: nothing was decided."""
    CANCELLED = "cancelled"


class Phase(StrEnum):
    """What a batch is doing."""

    SELECTING = "selecting"
    CANARY = "canary"
    """The first few are decided, and their outcomes awaited."""
    DECIDING = "deciding"
    SETTLING = "settling"
    """All is decided; outcomes are awaited."""
    ENDED = "ended"


class Chosen(Frozen):
    """One letter of a selection."""

    letter: DeadLetter
    refusal: str | None = None
    """Why the decision is not possible for it."""
    changes: tuple[str, ...] = ()
    """What the decision changes: one `field: old -> new` each."""


class Told(Frozen):
    """One request and what is to be said of it."""

    request_id: str
    said: str


class Selected(Frozen):
    """The result of `select-dead-letters`."""

    folder: str
    """Where the pages stand in the store."""
    total: int
    invalid: int = 0
    causes: dict[str, int] = Field(default={})
    refusals: tuple[Told, ...] = ()


class Chunk(Frozen):
    """The input of `decide-dead-letters`: some letters in a row."""

    order: BatchOrder
    folder: str
    first: int
    count: int


class Decided(Frozen):
    """The result of `decide-dead-letters`."""

    taken: tuple[int, ...] = ()
    """Places of those that the decision was taken about."""
    void: int = 0
    """Already decided by somebody else."""
    invalid: int = 0
    refused: int = 0
    told: tuple[Told, ...] = ()


class Look(Frozen):
    """The input of `look-at-dead-letters`."""

    folder: str
    places: tuple[int, ...]
    patience_s: float
    """Seconds that outcomes are waited for."""


class Seen(Frozen):
    """The result of `look-at-dead-letters`: what is known by now."""

    succeeded: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()
    ended: tuple[int, ...] = ()
    """Ended otherwise: cancelled, or discarded by somebody."""
    causes: dict[str, int] = Field(default={})
    """Of those that failed."""
    told: tuple[Told, ...] = ()

    @property
    def known(self) -> frozenset[int]:
        """All whose outcome is known."""
        return frozenset((*self.succeeded, *self.failed, *self.ended))


class Counts(Frozen):
    """How many of a batch's letters are where."""

    taken: int = 0
    void: int = 0
    invalid: int = 0
    refused: int = 0
    succeeded: int = 0
    failed: int = 0
    ended: int = 0

    def plus(self, **more: int) -> Counts:
        """These and more."""
        return self.model_copy(update={name: getattr(self, name) + count for name, count in more.items()})


class BatchState(Frozen):
    """The input of `dead-letter-batch`: the order, and what a run hands on to the next."""

    order: BatchOrder
    phase: Phase = Phase.SELECTING
    selected: Selected | None = None
    cursor: int = 0
    """The place of the first letter that is not decided."""
    open: tuple[int, ...] = ()
    """Places of those that were redriven and whose outcome is not known."""
    counts: Counts = Counts()
    before: Counts = Counts()
    """The counts when somebody resumed last: only what came after counts for the error share."""
    causes: dict[str, int] = Field(default={})
    """Of those that failed again."""
    told: tuple[Told, ...] = ()
    paused: str | None = None
    """Why, and by whom."""
    cancelled: str | None = None
    log: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Letters of the selection; 0 while it is not made."""
        return self.selected.total if self.selected else 0


class BatchReport(Frozen):
    """How a batch stands, or what became of it: answer of the query, memo and result."""

    name: str
    kind: Literal["redrive", "discard"]
    by: str
    reason: str
    chosen: str
    """The filter in words."""
    changes: dict[str, JsonValue] = Field(default={})
    """What a redrive changes: edited fields, service, generate_again."""
    phase: Phase
    outcome: Outcome | None = None
    """None while it runs."""
    total: int = 0
    decided: int = 0
    open: int = 0
    counts: Counts = Counts()
    invalid: int = 0
    """Letters of the selection for which the decision is not possible."""
    selected_causes: dict[str, int] = Field(default={})
    failed_causes: dict[str, int] = Field(default={})
    paused: str | None = None
    cancelled: str | None = None
    told: tuple[Told, ...] = ()
    """Single requests: refusals, failures. The first 50."""
    audit: str | None = None
    """The folder of the store in which each request's decision stands."""
    log: tuple[str, ...] | None = None


def batch_id(name: str) -> str:
    """The workflow id of a batch."""
    return f"dead-letter-batch/{name}"


def at_once(pace: float, left: int) -> int:
    """How many are decided in one go: about two seconds' worth."""
    return max(1, min(_MOST_AT_ONCE, left, int(pace * 2)))


def error_share(state: BatchState) -> float:
    """Failed again, of those whose outcome became known since somebody resumed last; 0 where none is."""
    failed = state.counts.failed - state.before.failed
    known = failed + state.counts.succeeded - state.before.succeeded
    return failed / known if known else 0.0


def breaks_off(state: BatchState) -> bool:
    """Whether so many have failed again that the others must wait for a person."""
    known = state.counts.failed + state.counts.succeeded - state.before.failed - state.before.succeeded
    canaries_known = state.phase is Phase.CANARY and not state.open and state.cursor >= state.order.canary
    if state.cursor >= state.total or not (canaries_known or known >= LEAST_SAMPLE):
        return False
    return error_share(state) > state.order.stop_above


def report_of(state: BatchState, outcome: Outcome | None = None, *, with_log: bool = True) -> BatchReport:
    """What a batch in that state says of itself."""
    order, selected = state.order, state.selected
    changes = dict(order.edits or {})
    changes |= {"service": order.service} if order.service else {}
    changes |= {"generate_again": True} if order.generate_again else {}
    return BatchReport(
        name=order.name,
        kind=order.kind,
        by=order.by,
        reason=order.reason,
        chosen=order.chosen.words(),
        changes=changes,
        phase=state.phase if outcome is None else Phase.ENDED,
        outcome=outcome,
        total=state.total,
        decided=state.cursor,
        open=len(state.open),
        counts=state.counts,
        invalid=selected.invalid if selected else 0,
        selected_causes=selected.causes if selected else {},
        failed_causes=state.causes,
        paused=state.paused,
        cancelled=state.cancelled,
        told=state.told if with_log else state.told[:MOST_NOTED],
        audit=selected.folder if selected else None,
        log=state.log if with_log else None,
    )
