"""Replaying every case against a server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from operations.conformance.cases import Case
from operations.conformance.comparing import problems
from operations.conformance.deviations import Deviation
from operations.conformance.wire import Server, WireError, exchange


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one case went."""

    case: str
    problems: tuple[str, ...]
    deviates: str | None = None
    """The pattern of the row that says that the answer is meant to be another."""


async def replay(server: Server, cases: Sequence[Case], deviations: Sequence[Deviation]) -> AsyncIterator[Verdict]:
    """The verdict on each case, one after the other."""
    for case in cases:
        row = next((row.pattern for row in deviations if row.covers(case)), None)
        try:
            given = await exchange(server, case)
        except WireError as error:
            yield Verdict(case.name, (str(error),), row)
        else:
            yield Verdict(case.name, tuple(problems(case, given, deviations)), row)
