"""The starter's own paths as OpenAPI operations: requests, listeners, shadow callbacks, images, health, metrics."""

from __future__ import annotations

from pydantic import BaseModel, JsonValue
from pydantic.json_schema import models_json_schema

from contracts.decisions import Redrive
from starter.api.executions import RequestState, Way
from starter.api.listeners import HeardCall, RefusedCall
from starter.api.listening import ListenOrder
from starter.openapi.answers import Description, answer, bare, denials, errors, json_content, reference

_GIVEN: tuple[type[BaseModel], ...] = (Redrive, ListenOrder)
_SHOWN: tuple[type[BaseModel], ...] = (RequestState, HeardCall, RefusedCall)
_TEXT: Description = {"type": "string"}


def interface_schemas() -> Description:
    """The models that these paths take and give, by name."""
    models = [
        *((model, "validation") for model in _GIVEN),
        *((model, "serialization") for model in _SHOWN),
    ]
    _, schema = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    return dict(schema["$defs"])


def interface_paths(*, secured: bool) -> Description:
    """All paths that are no webhooks; `secured` = the operators' need the security scheme `api`."""
    security: Description = {"security": [{"api": []}]} if secured else {}
    return {
        "/healthz": {"get": _operation("health", "The process is up", {"200": answer(200, _healthy())})},
        "/healthz/readiness": {"get": _operation("readiness", "Temporal answers", _ready())},
        "/metrics": {"get": _operation("metrics", "Prometheus metrics", {"200": answer(200, {"text/plain": {}})})},
        "/images/{digest}": _images(),
        **_requests(security),
        **_listeners(security),
        "/shadow/{route}/callback": _shadow(),
        "/services/{service}/ring/{token}": _rings(),
    }


def _operation(
    identifier: str,
    summary: str,
    responses: Description,
    body: Description | None = None,
    parameters: list[JsonValue] | None = None,
) -> Description:
    described: Description = {"operationId": identifier, "summary": summary}
    if body is not None:
        described["requestBody"] = {"required": True, "content": json_content(body)}
    if parameters:
        described["parameters"] = parameters
    return {**described, "responses": {**bare(400, 408, 431), **responses}}


def _parameter(name: str, place: str = "path", schema: Description = _TEXT) -> Description:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}


def _object(**properties: JsonValue) -> Description:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _healthy() -> Description:
    return json_content(_object(status={"const": "ok"}))


def _ready() -> Description:
    down = json_content(_object(status={"const": "error"}, message=_TEXT))
    return {"200": answer(200, _healthy()), "503": answer(503, down)}


def _images() -> Description:
    digest: Description = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
    query = [_parameter("expires", "query"), _parameter("signature", "query")]
    taken = answer(200, {"image/*": {}, "application/octet-stream": {}})
    found = _operation("image", "An image behind a signed URL", {"200": taken, **errors(403, 404, 503)}, None, [*query])
    return {"parameters": [_parameter("digest", schema=digest)], "get": found}


def _requests(security: Description) -> Description:
    shared: Description = {"parameters": [_parameter("request_id"), _parameter("route", "query")]}
    named: Description = {"request_id": _TEXT, "route": _TEXT, "workflow_id": _TEXT}
    redriven = _object(**named, redriven={"const": True}, by={"enum": [way.value for way in Way]})
    cancelled = _object(**named, cancel_requested={"const": True})
    path = "/api/requests/{request_id}"
    return {
        path: {**shared, "get": _api(security, "show", "Where a request stands", (200, reference("RequestState")))},
        f"{path}/redrive": {
            **shared,
            "post": _api(security, "redrive", "Take a dead letter up again", (200, redriven), reference("Redrive")),
        },
        f"{path}/cancel": {**shared, "post": _api(security, "cancel", "Ask for a cancellation", (202, cancelled))},
    }


def _listeners(security: Description) -> Description:
    texts: Description = {"type": "array", "items": _TEXT}
    opened = _object(id=_TEXT, url=_TEXT, seconds={"type": "number"}, methods=texts, routes=texts)
    heard = _object(
        standing={"enum": ["waiting", "heard", "over"]},
        call={"anyOf": [reference("HeardCall"), {"type": "null"}]},
        refused={"type": "array", "items": reference("RefusedCall")},
    )
    return {
        "/api/listeners": {
            "post": _api(security, "listen", "Listen for a call to a test URL", (201, opened), reference("ListenOrder"))
        },
        "/api/listeners/{listener_id}": {
            "parameters": [_parameter("listener_id")],
            "get": _api(security, "heard", "What was heard; waits for up to 20 s", (200, heard)),
            "delete": _api(security, "stop-listening", "Stop listening", (200, _object(closed={"const": True}))),
        },
    }


def _api(
    security: Description,
    identifier: str,
    summary: str,
    taken: tuple[int, Description],
    body: Description | None = None,
) -> Description:
    status, given = taken
    responses = {**errors(401, 403, 404, 409, 413, 422, 503), str(status): answer(status, json_content(given))}
    return {**_operation(identifier, summary, responses, body), **security, "tags": ["operators"]}


def _shadow() -> Description:
    taken = answer(200, json_content({"type": "object"}))
    responses = {"200": taken, **denials(401, 403), **errors(404, 413, 422, 503)}
    operation = _operation("shadow-callback", "A callback of the old system", responses, {"type": "object"})
    return {"parameters": [_parameter("route")], "post": operation}


def _rings() -> Description:
    responses = {"200": answer(200, json_content(_object())), **errors(401, 404, 413, 422, 503)}
    operation = _operation("service-ring", "An image service says that a job is finished", responses)
    return {"parameters": [_parameter("service"), _parameter("token")], "post": operation}
