"""Naming what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest(name: str, valid: Iterable[str]) -> str | None:
    """The valid name most like the given one, or None where none is near."""
    near = difflib.get_close_matches(name.lower(), list(valid), n=1, cutoff=0.5)
    return near[0] if near else None


def suggestion(name: str, valid: Iterable[str]) -> str:
    """The end of an error line: the nearest valid name, else all of them. Never repeats the given one."""
    known = sorted(valid)
    near = closest(name, known)
    if near:
        return f"did you mean {near!r}?"
    return f"valid: {', '.join(known)}" if known else "none is configured"
