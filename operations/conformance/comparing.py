"""Whether an answer is n8n's, and which differences are meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from operations.conformance.cases import Answer, Case

TABLE = Path(__file__).parents[2] / "docs" / "n8n-compatibility.md"
"""The page with the table of deviations."""
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
_ROW = re.compile(r"^\| `([^`]+)` \|([^|]*)\|([^|]*)\|([^|]*)\|$", re.MULTILINE)
_STATUS = re.compile(r"\b([1-5][0-9]{2})\b")
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Deviation:
    """A row of the table."""

    pattern: str
    """Which cases, as `size/*-20-mib`."""
    status: int
    """What we answer."""
    reason: str

    def covers(self, case: Case) -> bool:
        """Whether the row speaks of this case."""
        return fnmatchcase(case.name, self.pattern)


def load_deviations(page: Path = TABLE) -> list[Deviation]:
    """The rows of the page's table; raises `OSError` where the page cannot be read."""
    rows = _ROW.findall(page.read_text(encoding="utf-8"))
    return [Deviation(pattern, _status(ours), reason.strip()) for pattern, _, ours, reason in rows]


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
    return [] if given.status == row.status else [f"status: the table says {row.status}, not {given.status}", *found]


def idle_rows(cases: Sequence[Case], deviations: Sequence[Deviation]) -> list[str]:
    """The patterns that no case has."""
    return [row.pattern for row in deviations if not any(row.covers(case) for case in cases)]


def _status(cell: str) -> int:
    match = _STATUS.search(cell)
    return int(match[1]) if match else 0


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
