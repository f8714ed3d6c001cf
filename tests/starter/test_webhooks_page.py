"""The configuration on the page about webhooks is what the settings take."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from runtime.settings import Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "webhooks.md"
BLOCKS = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
BASE: dict[str, Any] = {
    "odoos": {"main": {"database": "acme", "base_url": "https://odoo.example"}},
    "services": {"flux": {"kind": "flux_lora", "base_url": "https://flux.example"}},
    "routes": {
        "event": {
            "path": "ai/events",
            "dialect": "event",
            "odoo": "main",
            "services": ["flux"],
            "callback": {"path": "/callback"},
        }
    },
}


def merged(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    both = {name: merged(lower[name], upper[name]) for name in lower.keys() & upper if isinstance(upper[name], dict)}
    return {**lower, **upper, **both}


@pytest.mark.parametrize("block", BLOCKS)
def test_each_block_can_be_copied(block: str) -> None:
    Settings.model_validate(merged(BASE, tomllib.loads(block)))


def test_every_feature_of_a_route_is_shown() -> None:
    shown = "\n".join(BLOCKS)
    features = ("methods", "active", "webhook_id", "respond", "respond_deadline_s", "cors_origins", "allowed_ips")
    for feature in (*features, "ignore_bots", "rate_limit", "shadow", "[routes.event.response]"):
        assert feature in shown
    for kind in ("basic", "header", "bearer", "jwt", "signature"):
        assert f'kind = "{kind}"' in shown
