"""A small valid configuration, and ways to spoil it."""

from __future__ import annotations

import copy
from typing import Any

BASE: dict[str, Any] = {
    "odoos": {"main": {"database": "production", "base_url": "https://odoo.example"}},
    "services": {"flux": {"kind": "flux_lora", "base_url": "https://flux.example"}},
    "routes": {
        "event": {
            "path": "ai/events",
            "dialect": "event",
            "odoo": "main",
            "services": ["flux"],
            "auth": {"kind": "header", "name": "X-Api-Key", "secret": "env:WEBHOOK_KEY"},
            "callback": {"path": "/done"},
        }
    },
}

FILE = """\
[odoos.main]
database = "production"
base_url = "https://odoo.example"
[services.flux]
kind = "flux_lora"
base_url = "https://flux.example"
[routes.event]
path = "ai/events"
dialect = "event"
odoo = "main"
services = ["flux"]
callback = { path = "/done" }
"""

MISSING = object()

PASTED = "sk-live-4eC39HqLyjWDarjtT1zdp7dc"
"""What a secret looks like that someone put where a reference belongs."""


def changed(path: str, value: object) -> dict[str, Any]:
    """BASE with one setting changed, added or, by MISSING, removed."""
    tree = copy.deepcopy(BASE)
    *parents, last = path.split(".")
    section = tree
    for name in parents:
        section = section.setdefault(name, {})
    if value is MISSING:
        del section[last]
    else:
        section[last] = value
    return tree
