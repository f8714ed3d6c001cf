"""Names for what the configuration has: routes, services, Odoos, and the variables that hold secrets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

_OTHER = re.compile(r"[^a-z0-9]+")
LONGEST = 48
"""Characters of a name; settings allow 64, and numbers may follow."""


def slug(text: str, otherwise: str) -> str:
    """Letters, digits and single underscores: fit for settings and, in upper case, for environment variables."""
    plain = unicodedata.normalize("NFKD", text[:200]).encode("ascii", "ignore").decode().lower()
    return _OTHER.sub("_", plain).strip("_")[:LONGEST].strip("_") or otherwise


def free_name(wanted: str, taken: Collection[str]) -> str:
    """The wanted name or, where it is taken, the first free one with a number."""
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name
