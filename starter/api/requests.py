"""`/api/requests/{id}`: the status of a request, redrive and cancel, for Odoo's buttons and other programs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from pydantic import JsonValue, ValidationError
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from temporalio.client import Client

from contracts.decisions import Redrive
from contracts.search_attributes import keyword
from runtime.secrets import SecretMissingError
from runtime.settings import Settings
from runtime.temporal import TemporalUnreachableError
from starter.api import executions
from starter.api.executions import RequestState
from starter.api.guard import turned_away
from starter.wire import n8n_answers
from starter.wire.bodies import read_body
from starter.wire.json_bodies import parse_object
from starter.wire.refusals import RefusedError

_log = structlog.get_logger(__name__)

_Handler = Callable[[Request], Awaitable[Response]]
_STATUS_OF_ERROR: tuple[tuple[type[Exception], int], ...] = (
    (executions.UnknownRequestError, 404),
    (executions.UnknownServiceError, 422),
    (executions.RequestError, 409),
)


class _AnyText(Convertor[str]):
    """Any text: ids may hold slashes, which Starlette's own `path` takes, and line ends, which it does not."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("any_text", _AnyText())


class RequestsApi:
    """The operations on one request. Off (404) unless `api.auth` is set."""

    def __init__(self, settings: Settings, client: Client) -> None:
        self._settings = settings
        self._client = client

    def routes(self) -> list[Route]:
        """The routes; an id may hold slashes, so the longer paths come first."""
        path = "/api/requests/{request_id:any_text}"
        return [
            Route(f"{path}/redrive", self._guarded(self._redrive), methods=["POST"]),
            Route(f"{path}/cancel", self._guarded(self._cancel), methods=["POST"]),
            Route(path, self._guarded(self._show), methods=["GET"]),
        ]

    async def _show(self, request: Request) -> Response:
        state = await self._found(request)
        return n8n_answers.json_answer(200, state.model_dump(mode="json"))

    async def _redrive(self, request: Request) -> Response:
        body = await read_body(request, self._settings.starter.body_limit)
        decision = Redrive.model_validate(parse_object(body))
        state = await self._found(request)
        way = await executions.redrive(self._client, self._settings, state, decision)
        _log.info("request_redriven", **_named(state), by=decision.by, way=way.value)
        return n8n_answers.json_answer(200, {**_named(state), "redriven": True, "way": way.value})

    async def _cancel(self, request: Request) -> Response:
        state = await self._found(request)
        await executions.cancel(self._client, state)
        _log.info("request_cancel_asked", **_named(state))
        return n8n_answers.json_answer(202, {**_named(state), "cancel_requested": True})

    async def _found(self, request: Request) -> RequestState:
        route = request.query_params.get("route")
        request_id: str = request.path_params["request_id"]
        return await executions.find_request(self._client, self._settings, request_id, route)

    def _guarded(self, handler: _Handler) -> _Handler:
        async def guarded(request: Request) -> Response:
            try:
                return turned_away(self._settings, request) or await handler(request)
            except RefusedError as error:
                return error.answer
            except ValidationError as error:
                return n8n_answers.error_answer(422, _named_fields(error))
            except executions.RequestError as error:
                return _error(error)
            except (TemporalUnreachableError, SecretMissingError) as error:
                return self._unavailable(error)

        return guarded

    def _unavailable(self, error: Exception) -> Response:
        _log.error("api_unavailable", reason=str(error))
        headers = {"Retry-After": str(self._settings.starter.retry_after_s)}
        return n8n_answers.error_answer(503, "The orchestrator is not available. Try again.", headers=headers)


def _named(state: RequestState) -> dict[str, JsonValue]:
    return {"request_id": keyword(state.request_id), "route": state.route, "workflow_id": state.workflow_id}


def _named_fields(error: ValidationError) -> str:
    lines = (f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors(include_input=False))
    return "; ".join(lines)


def _error(error: executions.RequestError) -> Response:
    status = next(status for kind, status in _STATUS_OF_ERROR if isinstance(error, kind))
    content: dict[str, JsonValue] = {"code": status, "message": str(error)}
    if isinstance(error, executions.AmbiguousRequestError):
        content["routes"] = list(error.routes)
    return n8n_answers.json_answer(status, content)
