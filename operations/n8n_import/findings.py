"""What the import has to say, line by line. A line that quotes an export is harmless wherever it is shown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from runtime.redaction import redact_text

LONGEST_QUOTE = 100
"""Characters of an export that one quotation shows."""
_LONG_LITERAL = re.compile(r"(['\"])[^'\"]{12,}\1")


class Kind(StrEnum):
    """What became of something."""

    MAPPED = "mapped"
    APPROXIMATED = "approximated"
    NOT_MAPPED = "not_mapped"
    SET_UP = "set_up"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    kind: Kind
    workflow: str
    node: str | None
    """None where the line is about the workflow itself."""
    text: str
    """What became of it; whatever comes from the export stands in back quotes."""


@dataclass(slots=True)
class Notes:
    """Collects the findings of one workflow, each only once."""

    workflow: str
    found: dict[Finding, None] = field(default_factory=dict)

    def mapped(self, node: str | None, text: str) -> None:
        """Note what has been taken over."""
        self._add(Kind.MAPPED, node, text)

    def approximated(self, node: str | None, text: str) -> None:
        """Note what behaves otherwise from now on, and how."""
        self._add(Kind.APPROXIMATED, node, text)

    def not_mapped(self, node: str | None, text: str) -> None:
        """Note what has been left out, and why."""
        self._add(Kind.NOT_MAPPED, node, text)

    def set_up(self, node: str | None, text: str) -> None:
        """Note what a person has to supply."""
        self._add(Kind.SET_UP, node, text)

    def _add(self, kind: Kind, node: str | None, text: str) -> None:
        self.found[Finding(kind, self.workflow, node, text)] = None


def quoted(text: str) -> str:
    """Text of an export on one line, in back quotes that it cannot leave; secrets that show their form are hidden."""
    one_line = " ".join(redact_text(text).split())
    safe = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in one_line).replace("`", "'")
    cut = safe if len(safe) <= LONGEST_QUOTE else safe[: LONGEST_QUOTE - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return f"`{cut or ' '}`"


def quoted_expression(text: str) -> str:
    """An expression of an export, as `quoted`; a long literal in it may be a secret and is left out."""
    return quoted(_LONG_LITERAL.sub(r"\1...\1", text))
