"""Whether an answer is n8n's, and which differences are meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from operations.conformance.cases import Answer, Case
from operations.conformance.deviations import Deviation

HEADERS = (
    "Content-Type",
    "WWW-Authenticate",
    "ETag",
    "Vary",
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "X-Powered-By",
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Headers",
    "Access-Control-Max-Age",
)
"""The headers that must be equal, or absent from both."""
_SHOWN = 200


def differences(expected: Answer, given: Answer) -> list[str]:
    """One line for each way in which an answer is not the recorded one."""
    return list(_differences(expected, given))


def problems(case: Case, given: Answer, deviations: Sequence[Deviation]) -> list[str]:
    """What is wrong with an answer: unintended differences, or an intended one that is not there."""
    found = differences(case.expected, given)
    row = next((row for row in deviations if row.covers(case)), None)
    if row is None:
        return found
    if not found:
        return [f"the table says that this deviates (`{row.pattern}`), but the answer is n8n's: remove the row"]
    broken = row.broken_by(given)
    return [*broken, *found] if broken else []


def idle_rows(cases: Sequence[Case], deviations: Sequence[Deviation]) -> list[str]:
    """The patterns that no case has."""
    return [row.pattern for row in deviations if not any(row.covers(case) for case in cases)]


def _differences(expected: Answer, given: Answer) -> Iterator[str]:
    facts = (
        ("interim status", expected.interim, given.interim),
        ("status", expected.status, given.status),
        ("framing", expected.framing, given.framing),
        *((name, expected.header(name), given.header(name)) for name in HEADERS),
        ("body", expected.body, given.body),
    )
    for what, wanted, got in facts:
        if wanted != got:
            yield f"{what}: expected {str(wanted)[:_SHOWN]}, got {str(got)[:_SHOWN]}"
