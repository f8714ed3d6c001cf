"""Exports as n8n writes them, and what the import makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from operations.n8n_import.findings import Kind
from operations.n8n_import.importing import Imported, import_workflows
from operations.n8n_import.reading import read_export
from operations.n8n_import.toml_document import to_toml
from runtime.configuration import load_settings
from runtime.settings import RouteSettings, ServiceSettings, Settings

Export = dict[str, Any]

INFLUENCEGEN = Path(__file__).with_name("export-influencegen.json")
DRAW_URL = "https://flux.example/generate"
ODOO_URL = "https://odoo.example/api/influencegen/ai_image_callback"
CALLBACK = '={{ { request_id: $("Webhook").item.json.body.request_id, status: "completed", image_data: $json.b64 } }}'


def node(name: str, kind: str, parameters: Export | None = None, **settings: Any) -> Export:
    """A node; `settings` stand on the node itself."""
    return {"name": name, "type": f"n8n-nodes-base.{kind}", "parameters": parameters or {}, **settings}


def webhook(parameters: Export | None = None, **settings: Any) -> Export:
    """The Webhook node of every flow here."""
    return node("Webhook", "webhook", {"path": "draw", "httpMethod": "POST", **(parameters or {})}, **settings)


def draw(parameters: Export | None = None, name: str = "Draw", **settings: Any) -> Export:
    """The call to the image service."""
    usual = {"method": "POST", "url": DRAW_URL, "sendBody": True, "jsonBody": "={{ $json.body }}"}
    return node(name, "httpRequest", {**usual, **(parameters or {})}, **settings)


def call_back(parameters: Export | None = None, name: str = "Callback", **settings: Any) -> Export:
    """The callback to Odoo."""
    usual = {"method": "POST", "url": ODOO_URL, "sendBody": True, "jsonBody": CALLBACK}
    return node(name, "httpRequest", {**usual, **(parameters or {})}, **settings)


def links(*chains: str) -> Export:
    """Connections from texts as `A > B > C`; `A ! B` is A's error output."""
    outputs: dict[str, list[list[Export]]] = {}
    for chain in chains:
        for source, sign, target in _steps(chain.split(" ")):
            main = outputs.setdefault(source, [[], []])
            main[sign == "!"].append({"node": target, "type": "main", "index": 0})
    return {source: {"main": main} for source, main in outputs.items()}


def _steps(words: list[str]) -> list[tuple[str, str, str]]:
    return [(words[at], words[at + 1], words[at + 2]) for at in range(0, len(words) - 2, 2)]


def flow(*nodes: Export, chains: tuple[str, ...] = ("Webhook > Draw > Callback",), **more: Any) -> Export:
    """A workflow; without nodes the usual three."""
    usual = nodes or (webhook(), draw(), call_back())
    connections = links(*chains)
    return {"name": "Flow", "id": "f1", "active": True, "nodes": list(usual), "connections": connections, **more}


def imported(*workflows: Export) -> Imported:
    """What the import makes of these workflows."""
    return import_workflows(read_export(json.dumps(workflows).encode()))


def said(result: Imported, kind: Kind) -> list[str]:
    """The findings of a kind, as `node: text`."""
    return [f"{one.node or one.workflow}: {one.text}" for one in result.findings if one.kind is kind]


def has(lines: list[str], *words: str) -> bool:
    """Whether one of the lines holds all of these."""
    return any(all(word in line for word in words) for line in lines)


def loaded(result: Imported, directory: Path) -> Settings:
    """The settings that the written file holds."""
    file = directory / "imported.toml"
    file.write_text(to_toml(result), encoding="utf-8")
    return load_settings(file)


def only_route(result: Imported, directory: Path) -> RouteSettings:
    """The one route of the written file."""
    (route,) = loaded(result, directory).routes.values()
    return route


def only_service(result: Imported, directory: Path) -> ServiceSettings:
    """The one service of the written file."""
    (service,) = loaded(result, directory).services.values()
    return service
