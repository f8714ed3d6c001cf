"""The recorded webhooks as routes of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from operations.conformance.cases import WEBHOOKS
from runtime.settings import Settings


def make_settings(directory: Path) -> Settings:
    """A configuration with every recorded webhook; the dialect is one with n8n's own acknowledgement."""
    recorded = json.loads(WEBHOOKS.read_text(encoding="utf-8"))
    auths = _auths(directory, recorded["credentials"])
    routes = {f"route-{number}": _route(each, auths) for number, each in enumerate(recorded["webhooks"])}
    return Settings.model_validate(
        {
            "store": {"path": directory / "store"},
            "odoos": {"main": {"database": "recorded", "base_url": "https://odoo.example"}},
            "services": {"main": {"kind": "openai", "base_url": "http://127.0.0.1:9"}},
            "routes": routes,
        }
    )


def _route(recorded: dict[str, Any], auths: dict[str, dict[str, str]]) -> dict[str, Any]:
    auth = dict(auths[recorded.get("auth", "none")])
    if "no credential" in recorded.get("note", ""):
        auth["password"] = "file:/nowhere/at/all"
    return {
        "path": recorded["path"],
        "methods": [recorded["method"]],
        "active": recorded.get("active", True),
        "auth": auth,
        "dialect": "adapter",
        "odoo": "main",
        "services": ["main"],
        "callback": {"path": "/callback"},
        **_options(recorded.get("options", {})),
    }


def _options(recorded: dict[str, Any]) -> dict[str, Any]:
    response = {
        "status": recorded.get("responseCode"),
        "data": recorded.get("responseData"),
        "headers": recorded.get("responseHeaders", {}),
        "no_body": recorded.get("noResponseBody", False),
    }
    return {
        "response": response,
        "cors_origins": recorded.get("allowedOrigins", "*").split(","),
        "allowed_ips": [each.strip() for each in recorded.get("ipWhitelist", "").split(",") if each],
        "ignore_bots": recorded.get("ignoreBots", False),
    }


def _auths(directory: Path, recorded: dict[str, dict[str, str]]) -> dict[str, dict[str, Any]]:
    def secret(name: str, value: str) -> str:
        file = directory / name
        file.write_text(value, encoding="utf-8")
        return f"file:{file}"

    basic, header, jwt = recorded["basic"], recorded["header"], recorded["jwt"]
    return {
        "none": {"kind": "none"},
        "basic": {"kind": "basic", "user": basic["user"], "password": secret("basic", basic["password"])},
        "header": {"kind": "header", "name": header["name"], "secret": secret("header", header["value"])},
        "jwt": {"kind": "jwt", "algorithms": [jwt["algorithm"]], "secret": secret("jwt", jwt["secret"])},
    }
