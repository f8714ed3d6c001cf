"""The callback routes of the local receiver: path, credentials, envelope, and how each answers. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pydantic import JsonValue, ValidationError
from starlette.responses import JSONResponse, PlainTextResponse, Response

from operations.local.callback_bodies import (
    AdapterBody,
    CallbackBody,
    CallbackBodyError,
    CorrelationBody,
    EndpointBody,
    EventBody,
    RequestBody,
)
from operations.local.fault_http import ErrorAnswer
from operations.local.faults import first_problem

_EXCEPTIONS: Mapping[int, str] = MappingProxyType(
    {
        400: "odoo.exceptions.ValidationError",
        401: "odoo.exceptions.AccessDenied",
        409: "werkzeug.exceptions.Conflict",
    }
)
"""What Odoo's JSON routes name instead of a status. All else is a fault whose nature cannot be told."""


class NotJsonError(ValueError):
    """A body that no route can read; Odoo answers it with a plain 400, whatever the envelope."""


@dataclass(frozen=True, slots=True)
class CallbackRoute:
    """One dialect's callback endpoint."""

    dialect: str
    path: str
    header: str
    """Carries the shared secret."""
    body: type[CallbackBody]
    jsonrpc: bool = False
    status: int = 200
    accepted: Mapping[str, JsonValue] = field(default_factory=lambda: {"status": "ok"})

    def accept(self, rpc_id: JsonValue) -> Response:
        """The answer to a callback that has arrived."""
        if self.jsonrpc:
            return JSONResponse({"jsonrpc": "2.0", "id": rpc_id, "result": self.accepted})
        return JSONResponse(self.accepted, self.status)

    def refuse(self, rpc_id: JsonValue, status: int, message: str) -> Response:
        """An error of the application: by status, or inside a 200 as Odoo's JSON routes answer it."""
        if not self.jsonrpc:
            return JSONResponse({"error": message}, status)
        return _rpc_error(rpc_id, _EXCEPTIONS.get(status, "builtins.RuntimeError"), message)

    def fail_inside_200(self, rpc_id: JsonValue) -> Response:
        """HTTP 200 that says that it failed: `endpoint` in its result, the rest as their envelope has it."""
        message = "The outcome could not be applied."
        failed: dict[str, JsonValue] = {"status": "error", "message": message}
        if self.dialect == "endpoint":
            return JSONResponse({"jsonrpc": "2.0", "id": rpc_id, "result": failed})
        return self.refuse(rpc_id, 500, message) if self.jsonrpc else JSONResponse(failed)

    def disturb(self, answer: ErrorAnswer) -> Response:
        """An injected error, as the proxy or the server before the application answers it."""
        return JSONResponse({"error": answer.message}, answer.status)

    def unwrap(self, raw: bytes) -> tuple[JsonValue, JsonValue]:
        """The JSON-RPC id (None without envelope) and the content; raises `NotJsonError`."""
        try:
            content: JsonValue = json.loads(raw)
        except (ValueError, RecursionError):
            raise NotJsonError("Invalid JSON data") from None
        if not self.jsonrpc:
            return None, content
        if not isinstance(content, dict):
            return None, None
        return content.get("id"), content.get("params") if content.get("jsonrpc") == "2.0" else None

    def read(self, content: JsonValue) -> CallbackBody:
        """The body of the dialect; raises `CallbackBodyError`."""
        if not isinstance(content, dict):
            wanted = 'a JSON-RPC 2.0 envelope with "params"' if self.jsonrpc else "a JSON object"
            raise CallbackBodyError(f"the body must be {wanted}")
        try:
            return self.body.model_validate(content)
        except ValidationError as error:
            raise CallbackBodyError(first_problem(error)) from None


def _rpc_error(rpc_id: JsonValue, name: str, message: str) -> Response:
    data = {
        "name": name,
        "message": message,
        "arguments": [message],
        "context": {},
        "debug": "Traceback: ...",
    }
    error = {"code": 0, "message": "Odoo Server Error", "data": data}
    return JSONResponse({"jsonrpc": "2.0", "id": rpc_id, "error": error})


def not_json() -> Response:
    """What every route answers to a body that is no JSON."""
    return PlainTextResponse("Invalid JSON data", 400)


CALLBACK_ROUTES = (
    CallbackRoute("event", "/callback/event", "X-Api-Key", EventBody),
    CallbackRoute("correlation", "/api/influencegen/image_result_callback", "X-Api-Key", CorrelationBody),
    CallbackRoute("request", "/api/influencegen/ai_image_callback", "X-Api-Key", RequestBody, status=202),
    CallbackRoute(
        "adapter",
        "/influence_gen/n8n/ai_callback",
        "X-N8N-Signature",
        AdapterBody,
        jsonrpc=True,
        accepted={"status": "success"},
    ),
    CallbackRoute(
        "endpoint",
        "/influence_gen/ai/callback/image_result",
        "X-N8N-Webhook-Token",
        EndpointBody,
        jsonrpc=True,
        accepted={"status": "success"},
    ),
)
"""All that the receiver serves."""
