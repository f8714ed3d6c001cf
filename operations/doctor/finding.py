"""What a check found: one line each, with the remedy where something is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """Works, but not for ever, not fully or not as configured."""
    FAIL = "fail"
    """Requests are lost, refused or stuck until it is put right."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    subject: str
    """What was looked at, as `odoo main`."""
    fact: str
    remedy: str = ""
    """What to do; empty exactly where all is well."""


def ok(subject: str, fact: str) -> Finding:
    """Nothing is to be done."""
    return Finding(Level.OK, subject, fact)


def warn(subject: str, fact: str, remedy: str) -> Finding:
    """Something is to be done some time."""
    return Finding(Level.WARN, subject, fact, remedy)


def fail(subject: str, fact: str, remedy: str) -> Finding:
    """Something is to be done now."""
    return Finding(Level.FAIL, subject, fact, remedy)


def is_healthy(findings: Iterable[Finding], *, strict: bool) -> bool:
    """Whether nothing is wrong; with `strict`, a warning is wrong too."""
    wrong = {Level.FAIL, Level.WARN} if strict else {Level.FAIL}
    return not any(finding.level in wrong for finding in findings)
