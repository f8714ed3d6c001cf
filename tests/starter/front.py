"""A configured starter on a real socket, and raw requests to it."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import JsonValue
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RetryConfig

from contracts.dialects import CALLBACK_DIALECTS
from contracts.dialects.odoo_action import PARAMETERS
from contracts.requests import ImageGenerationInput
from runtime.blobs import LocalBlobStore
from runtime.settings import Settings
from runtime.temporal import DATA_CONVERTER
from starter.app import create_app
from starter.wire.server import listening

JSON = {"Content-Type": "application/json"}
SECRET = "made-up-s\u00e9cret-0123456789"
API_KEY = httpx.Headers([(b"X-Api-Key", SECRET.encode())])
"""What opens the requests API."""
SIGNING_KEY = "made-up-signing-key-0123456789"
ODOO = "https://odoo.example"
ALLOWED = "https://other.example:8443"

RECORD = {"fields": {name: name for name in PARAMETERS}, "write_back": {"chatter": True}}
"""Records whose fields are called like the parameters."""

_AUTHS: Mapping[str, Mapping[str, str]] = {
    "basic": {"kind": "basic", "user": "odoo"},
    "header": {"kind": "header", "name": "X-Api-Key"},
    "bearer": {"kind": "bearer"},
}


def make_settings(directory: Path, **changes: dict[str, Any]) -> Settings:
    """One open route per dialect at `dialect/<name>`, one per authentication at `auth/<kind>`; API and images on."""
    secret = directory / "secret"
    secret.write_text(SECRET, encoding="utf-8")
    key = directory / "signing-key"
    key.write_text(SIGNING_KEY, encoding="utf-8")
    routes = {name: _route(f"dialect/{name}", name) for name in CALLBACK_DIALECTS}
    routes["odoo_action"] = _route("dialect/odoo_action", "odoo_action", odoo="stock", record=RECORD)
    for kind in _AUTHS:
        routes[f"auth-{kind}"] = _route(f"auth/{kind}", "event", auth=_auth(kind, secret))
        routes[f"lost-{kind}"] = _route(f"lost/{kind}", "event", auth=_auth(kind, directory / "lost"))
    routes |= _webhook_options(secret)
    routes["token"] = _route("checked/token", "endpoint", security_token=f"file:{secret}")
    routes["cased"] = _route("/Cased/path/", "event", methods=["PUT"])
    routes["queued"] = _route(
        "queued", "event", odoo="slow", services=["spare", "main"], service_names={"Flux": "main"}
    )
    tree = {
        "api": {"auth": _auth("header", secret)},
        "store": {"path": directory / "store", "signing_key": f"file:{key}"},
        "odoos": {
            "main": {"database": "acme-prod", "base_url": f"{ODOO}/odoo"},
            "stock": {
                "database": "acme-stock",
                "base_url": ODOO,
                "rpc": {"kind": "json2", "secret": f"file:{secret}"},
            },
            "slow": {"database": "slow-prod", "base_url": ODOO, "rate_per_second": 5},
        },
        "services": {
            "main": {"kind": "openai", "base_url": "http://127.0.0.1:9"},
            "spare": {"kind": "flux_lora", "base_url": "http://127.0.0.1:9", "retry": {"attempts": 2}},
        },
        "routes": routes,
        **changes,
    }
    return Settings.model_validate(tree)


def _webhook_options(secret: Path) -> dict[str, dict[str, object]]:
    rotated = [f"file:{secret.parent / 'lost'}", f"file:{secret}"]
    basic = {"kind": "basic", "user": "odoo", "password": rotated}
    return {
        "several": _route("several", "event", methods=["GET", "POST"]),
        "several-put": _route("several", "request", methods=["PUT"]),
        "inactive": _route("inactive", "event", active=False),
        "rotated": _route("rotated", "event", auth=basic),
        "by-name": _route("items/:kind/:name", "event", webhook_id="a1-b2"),
        "by-literal": _route("items/image/:name", "request", webhook_id="a1-b2"),
        "fixed": _route(
            "fixed",
            "event",
            methods=["GET", "POST"],
            response={"status": 202, "data": "queued", "headers": {"X-Flow": "f", "Content-Type": "text/plain"}},
        ),
        "silent": _route("silent", "event", response={"status": 201, "no_body": True}),
        "no-content": _route("no-content", "event", response={"status": 204, "data": "x", "headers": {"X-Flow": "f"}}),
        "strict-cors": _route("strict-cors", "event", cors_origins=["https://a.example", "https://b.example"]),
        "networks": _route("networks", "event", allowed_ips=["10.0.0.0/8", "127.0.0.0/30"]),
        "elsewhere": _route("elsewhere", "event", allowed_ips=["10.0.0.1", "::1"], auth=basic),
        "fleeting": _route(
            "fleeting",
            "event",
            auth={"kind": "header", "name": "X-Api-Key", "secret": f"file:{secret.parent / 'fleeting'}"},
        ),
        "no-bots": _route("no-bots", "event", ignore_bots=True),
    }


def _route(path: str, dialect: str, **more: object) -> dict[str, object]:
    callback = {"path": "/callback", "allowed_origins": [ALLOWED]}
    return {"path": path, "dialect": dialect, "odoo": "main", "services": ["main"], "callback": callback, **more}


def _auth(kind: str, file: Path) -> dict[str, str]:
    name = "password" if kind == "basic" else "secret"
    return {**_AUTHS[kind], name: f"file:{file}"}


@dataclass(frozen=True, slots=True)
class Front:
    """A running starter."""

    url: str
    settings: Settings
    client: Client
    http: httpx.AsyncClient
    blobs: LocalBlobStore

    async def post(self, path: str, body: JsonValue, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """POST JSON to a webhook."""
        declared = {"Content-Type": "application/json", **(headers or {})}
        return await self.post_bytes(path, json.dumps(body).encode(), declared)

    async def post_bytes(self, path: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """POST a body as it stands to a webhook."""
        sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        return await self.http.post(f"/webhook/{path}", content=body, headers=httpx.Headers(sent))

    async def counted(self, result: str, route: str) -> int:
        """How many requests of that route ended so, as the metrics tell."""
        text = (await self.http.get("/metrics")).text
        labels = rf'dialect="[a-z_]+",odoo="\w+",result="{result}",route="{route}"'
        found = re.search(rf"webhook_requests_total{{{labels}}} (\S+)", text)
        return int(float(found[1])) if found else 0

    def workflow(self, route: str, request_id: str) -> WorkflowHandle[Any, Any]:
        """The workflow of a request whose id is short and printable."""
        return self.client.get_workflow_handle(f"{route}/{request_id}")


@asynccontextmanager
async def running_starter(settings: Settings, client: Client) -> AsyncIterator[Front]:
    """Serve the application on a free port."""
    blobs = LocalBlobStore(settings.store.path)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(listening(create_app(settings, client, blobs), "127.0.0.1", 0))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=20, trust_env=False))
        yield Front(url, settings, client, http, blobs)


async def lazy_client(address: str) -> Client:
    """A client as the starter has it: not connected yet, with little patience."""
    patience = RetryConfig(max_elapsed_time_millis=500)
    return await Client.connect(address, data_converter=DATA_CONVERTER, lazy=True, retry_config=patience)


def event(**changes: JsonValue) -> dict[str, JsonValue]:
    """A valid body of dialect `event` with an id of its own."""
    return {"requestId": fresh_id(), "correlationId": "c-1", "prompt": "a red fox", **changes}


def fresh_id() -> str:
    """A request id that no other test uses."""
    return f"req-{uuid.uuid4()}"


async def started_input(handle: WorkflowHandle[Any, Any]) -> ImageGenerationInput:
    """What the workflow was started with, from its history."""
    first = (await handle.fetch_history()).events[0]
    assert first.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
    payloads = first.workflow_execution_started_event_attributes.input.payloads
    (value,) = await DATA_CONVERTER.decode(payloads, [ImageGenerationInput])
    assert isinstance(value, ImageGenerationInput)
    return value


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer as it stood on the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


async def raw(url: str, head: str, body: bytes = b"") -> RawAnswer:
    """Send a request line and headers as they stand, and the body; `Host` and length are added."""
    port = urlsplit(url).port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [*head.split("\n"), f"Host: 127.0.0.1:{port}", f"Content-Length: {len(body)}", "Connection: close", "", ""]
    writer.write("\r\n".join(lines).encode("latin-1") + body)
    await writer.drain()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    top, _, rest = answer.partition(b"\r\n\r\n")
    status, *fields = top.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    return RawAnswer(int(status.split(" ")[1]), headers, _unchunked(rest) if "transfer-encoding" in headers else rest)


def _unchunked(data: bytes) -> bytes:
    size, _, rest = data.partition(b"\r\n")
    length = int(size, 16)
    return rest[:length] + _unchunked(rest[length + 2 :]) if length else b""
