"""The recorded webhooks as routes of ours, in a configuration that our starter serves as it stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from operations.conformance.cases import WEBHOOKS

CONFIG = "orchestrator.toml"
"""The configuration's name below the directory; the test credentials lie beside it."""
_HEAD = """\
# The webhooks of the conformance suite, with test credentials that everybody knows: for 127.0.0.1 only.
# Made by: orchestrator conformance --write-config
"""
_NOBODY = "http://127.0.0.1:9"
"""Where no image service and no Odoo answers: the suite looks at acknowledgements only."""


def write_site(directory: Path) -> Path:
    """Write configuration and credentials below `directory`, and say where the configuration is.

    Raises `FileExistsError` where there is one already, `OSError` where nothing can be written.
    """
    home = directory.resolve()
    home.mkdir(parents=True, exist_ok=True)
    config = home / CONFIG
    with config.open("x", encoding="utf-8") as file:
        file.write(f"{_HEAD}\n{tomli_w.dumps(_site(home))}")
    return config


def _site(directory: Path) -> dict[str, Any]:
    recorded = json.loads(WEBHOOKS.read_text(encoding="utf-8"))
    auths = _auths(directory, recorded["credentials"])
    return {
        "store": {"path": str(directory / "store")},
        "odoos": {"main": {"database": "recorded", "base_url": _NOBODY}},
        "services": {"main": {"kind": "openai", "base_url": _NOBODY}},
        "routes": {f"route-{number}": _route(each, auths) for number, each in enumerate(recorded["webhooks"])},
    }


def _route(recorded: Mapping[str, Any], auths: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    # n8n does not register a webhook without its credential; our starter does not even start, so it is switched off.
    credential = "no credential" not in recorded.get("note", "")
    return {
        "path": recorded["path"],
        "methods": [recorded["method"]],
        "active": recorded.get("active", credential),
        "auth": auths[recorded.get("auth", "none")],
        "dialect": "adapter",  # Its acknowledgement is n8n's own.
        "odoo": "main",
        "services": ["main"],
        "callback": {"path": "/callback"},
        **_options(recorded.get("options", {})),
    }


def _options(recorded: Mapping[str, Any]) -> dict[str, Any]:
    response = {
        "status": recorded.get("responseCode"),
        "data": recorded.get("responseData"),
        "headers": recorded.get("responseHeaders"),
        "no_body": recorded.get("noResponseBody"),
    }
    return {
        "response": {name: value for name, value in response.items() if value is not None},
        "cors_origins": recorded.get("allowedOrigins", "*").split(","),
        "allowed_ips": [each.strip() for each in recorded.get("ipWhitelist", "").split(",") if each],
        "ignore_bots": recorded.get("ignoreBots", False),
    }


def _auths(directory: Path, recorded: Mapping[str, dict[str, str]]) -> dict[str, dict[str, Any]]:
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
