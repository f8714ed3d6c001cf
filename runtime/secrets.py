"""Secrets are references (`env:NAME`, `file:/run/secrets/x`), read where they are used: rotating needs no restart."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Discriminator, Field, Tag, WithJsonSchema

from runtime.redaction import register_secret

_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:[^\x00-\x1f]+")


class SecretMissingError(Exception):
    """A referenced secret is not there. The message names the reference, never a value."""


def is_reference(value: str) -> bool:
    """Whether the text has the form of a reference to a secret."""
    return _REFERENCE.fullmatch(value) is not None


def _checked(reference: str) -> str:
    if not is_reference(reference):
        message = "must be a reference, env:NAME or file:/path: a secret itself never stands in the configuration"
        raise ValueError(message)
    return reference


SecretRef = Annotated[str, AfterValidator(_checked), Field(json_schema_extra={"format": "secret-reference"})]
"""A reference to a secret."""


def _one_or_list(value: object) -> str:
    return "[list]" if isinstance(value, list | tuple) else "[one]"


SecretRefs = Annotated[
    Annotated[SecretRef, Tag("[one]")] | Annotated[tuple[SecretRef, ...], Tag("[list]"), Field(min_length=1)],
    Discriminator(_one_or_list),
    WithJsonSchema({"type": "string", "format": "secret-references"}),
]
"""A reference to a secret, or a list of them of which any one opens the door: for rotation without an interruption."""


def references(setting: SecretRefs) -> tuple[SecretRef, ...]:
    """The references of a setting that takes one or several."""
    return (setting,) if isinstance(setting, str) else setting


def resolve(reference: str) -> str:
    """The secret behind a reference, which logs hide from now on; raises `SecretMissingError` where there is none."""
    scheme, _, name = reference.partition(":")
    value = os.environ.get(name) if scheme == "env" else _read(Path(name))
    if not value:
        hint = "set that environment variable" if scheme == "env" else "create that file"
        message = f"the secret {reference} is missing or empty: {hint}"
        raise SecretMissingError(message)
    register_secret(value)
    return value


def resolve_any(setting: SecretRefs) -> tuple[str, ...]:
    """The secrets of which any one opens the door; raises `SecretMissingError` where not one is there."""
    found, missing = [], None
    for reference in references(setting):
        try:
            found.append(resolve(reference))
        except SecretMissingError as error:
            missing = missing or error
    if not found and missing is not None:
        raise missing
    return tuple(found)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
