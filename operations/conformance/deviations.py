"""The table of meant deviations: which cases, and what is answered there, as far as it can be checked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import JsonValue

from operations.conformance.cases import Answer, Case, Headers

TABLE = Path(__file__).parents[2] / "docs" / "n8n-compatibility.md"
"""The page with the table of deviations."""
_ROW = re.compile(r"^\| `([^`]+)` \|([^|]*)\|([^|]*)\|([^|]*)\|$", re.MULTILINE)
_STATUS = re.compile(r"\b([1-5][0-9]{2})\b")
_CODE = re.compile(r"`([^`]+)`")
_HEADER = re.compile(r"([A-Za-z-]+): (.+)")


@dataclass(frozen=True, slots=True)
class Deviation:
    """A row of the table."""

    pattern: str
    """Which cases, as `size/*-20-mib`."""
    status: int
    """What we answer."""
    reason: str
    headers: Headers = ()
    """Those that the answer has, with these values."""
    content: Mapping[str, JsonValue] = field(default_factory=dict)
    """What the answer's JSON body holds, at least."""

    def covers(self, case: Case) -> bool:
        """Whether the row speaks of this case."""
        return fnmatchcase(case.name, self.pattern)

    def broken_by(self, given: Answer) -> list[str]:
        """One line for each way in which an answer is not what the row says."""
        return list(self._broken_by(given))

    def _broken_by(self, given: Answer) -> Iterator[str]:
        body = _json_object(given.body)
        facts = (
            ("status", self.status, given.status),
            *((name, value, given.header(name)) for name, value in self.headers),
            *((f"body, {name}", value, body.get(name)) for name, value in self.content.items()),
        )
        for what, told, got in facts:
            if told != got:
                yield f"{what}: the table says {told}, not {got}"


def load_deviations(page: Path = TABLE) -> list[Deviation]:
    """The rows of the page's table.

    Raises `OSError` where the page cannot be read, `ValueError` where a row's JSON is none.
    """
    rows = _ROW.findall(page.read_text(encoding="utf-8"))
    return [_deviation(pattern, ours, reason.strip()) for pattern, _, ours, reason in rows]


def _deviation(pattern: str, ours: str, reason: str) -> Deviation:
    status = _STATUS.search(ours)
    told = _CODE.findall(ours)
    headers = tuple((match[1], match[2]) for code in told if (match := _HEADER.fullmatch(code)))
    content = {name: value for code in told if code.startswith("{") for name, value in json.loads(code).items()}
    return Deviation(pattern, int(status[1]) if status else 0, reason, headers, content)


def _json_object(body: bytes) -> dict[str, JsonValue]:
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
