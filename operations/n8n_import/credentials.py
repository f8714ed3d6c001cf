"""Credentials: an export only names them. Each becomes a reference, and a line of what to supply."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from operations.n8n_import.names import free_name, slug

_SUFFIXES: Mapping[str, str] = MappingProxyType(
    {"httpBasicAuth": "PASSWORD", "httpHeaderAuth": "VALUE", "jwtAuth": "SECRET"}
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


@dataclass(slots=True)
class Supply:
    """One secret that a person has to supply."""

    variable: str
    """The environment variable that the configuration refers to."""
    credential: str
    """The credential's name in n8n, or where its value stands there."""
    kind: str
    """The credential's type in n8n."""
    used_by: list[str] = field(default_factory=list)
    """Settings that refer to it."""


@dataclass(slots=True)
class Secrets:
    """The references that were given out. One credential has one reference wherever it is used."""

    supplies: dict[tuple[str, str], Supply] = field(default_factory=dict)

    def for_credential(self, kind: str, name: str, otherwise: str, setting: str) -> str:
        """The reference of a credential; of one without a name, made from `otherwise`."""
        # The suffix keeps a credential named PATH from naming a variable that means something else.
        variable = f"{slug(name, slug(otherwise, 'credential'))}_{_SUFFIXES.get(kind, 'TOKEN')}"
        return self._reference((kind, name or otherwise), _as_variable(variable), setting)

    def for_variable(self, name: str, setting: str) -> str | None:
        """The reference of n8n's environment variable, or None where that is no name of one."""
        if not _VARIABLE.fullmatch(name):
            return None
        return self._reference(("$env", name), name, setting)

    def for_signing(self, setting: str) -> str:
        """The reference of the key that signs the URLs of images."""
        return self._reference(("new", "at least 16 characters"), "STORE_SIGNING_KEY", setting)

    def _reference(self, key: tuple[str, str], variable: str, setting: str) -> str:
        if key not in self.supplies:
            taken = {supply.variable for supply in self.supplies.values()}
            self.supplies[key] = Supply(free_name(variable, taken), key[1], key[0])
        supply = self.supplies[key]
        if setting not in supply.used_by:
            supply.used_by.append(setting)
        return f"env:{supply.variable}"


def _as_variable(name: str) -> str:
    upper = name.upper()
    return f"_{upper}" if upper[0].isdigit() else upper
