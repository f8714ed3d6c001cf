"""What operators order of a batch: one decision about many dead letters, and later changes of its course."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from contracts.dead_letters import LetterFilter
from contracts.decisions import Decision, Discard, Redrive, Said
from contracts.model import Frozen

BatchName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class BatchOrder(Frozen):
    """What is to be decided about which dead letters, by whom and why."""

    name: BatchName
    kind: Literal["redrive", "discard"]
    by: Said
    reason: Said
    chosen: LetterFilter
    edits: dict[str, JsonValue] | None = None
    service: str | None = None
    generate_again: bool = False
    canary: int = Field(default=0, ge=0, le=1000)
    """How many go first, and whose outcomes are awaited before the others go."""
    pace: float = Field(default=10.0, gt=0, le=1000)
    """Decisions a second."""
    stop_above: float = Field(default=0.2, ge=0, le=1)
    """Share of redriven requests that fail again, above which the batch pauses itself; 1 = never."""
    skip_invalid: bool = False
    """Whether the others are decided where the decision is not possible for some."""

    @property
    def without_filter(self) -> BatchOrder:
        """The same, without what may name many requests."""
        return self.model_copy(update={"chosen": LetterFilter()})

    def decision(self, parking: int = 0) -> Decision:
        """The decision about a letter in that parking."""
        if self.kind == "discard":
            return Discard(by=self.by, reason=self.reason, parking=parking)
        return Redrive(
            by=self.by,
            reason=self.reason,
            edits=self.edits,
            service=self.service,
            generate_again=self.generate_again,
            parking=parking,
        )


class BatchCommand(Frozen):
    """Who pauses, resumes or cancels a batch, and why."""

    by: Said
    reason: Said = "no reason given"
