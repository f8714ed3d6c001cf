"""`/api/listeners`: listen for one call to a test URL, and fetch what was heard. For `orchestrator listen`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from pydantic import Field, JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.model import Frozen
from runtime.secrets import SecretMissingError
from runtime.settings import Settings
from runtime.suggestions import suggestion
from starter.api.guard import turned_away
from starter.api.listeners import LONGEST_S, Listener, Listeners
from starter.wire import n8n_answers
from starter.wire.bodies import read_body
from starter.wire.json_bodies import parse_object
from starter.wire.leaving import unless_left
from starter.wire.refusals import RefusedError
from starter.wire.routing import Webhook, make_webhook

_log = structlog.get_logger(__name__)

_Handler = Callable[[Request], Awaitable[Response]]
POLL_S = 20.0
"""Longest time that one look takes."""
_BODY_LIMIT = 64 * 2**10


class ListenOrder(Frozen):
    """Who wants to listen where."""

    path: str = Field(min_length=1, max_length=2000)
    """The path below /webhook-test/."""
    route: str | None = None
    """Whose dialect, authentication and answer count. Not set = the routes with that path."""
    seconds: float = Field(default=120.0, gt=0, le=LONGEST_S)


class ListenersApi:
    """The operations on listeners. Off (404) unless `api.auth` is set."""

    def __init__(self, settings: Settings, listeners: Listeners) -> None:
        self._settings = settings
        self._listeners = listeners

    def routes(self) -> list[Route]:
        """The routes."""
        return [
            Route("/api/listeners", self._guarded(self._open), methods=["POST"]),
            Route("/api/listeners/{listener_id}", self._guarded(self._look), methods=["GET"]),
            Route("/api/listeners/{listener_id}", self._guarded(self._close), methods=["DELETE"]),
        ]

    async def _open(self, request: Request) -> Response:
        order = ListenOrder.model_validate(parse_object(await read_body(request, _BODY_LIMIT)))
        path = order.path.strip("/")
        webhooks = self._webhooks(path, order.route)
        if not webhooks:
            return n8n_answers.error_answer(404, self._unknown(path, order.route))
        listener = self._listeners.open(path, webhooks, order.seconds)
        _log.info("listening_for_test_call", seconds=order.seconds, routes=sorted(_names(webhooks)))
        url = f"{self._settings.starter.public_base_url}/webhook-test/{path}"
        opened: dict[str, JsonValue] = {"id": listener.id, "url": url, "seconds": order.seconds}
        return n8n_answers.json_answer(201, {**opened, "methods": [*webhooks], "routes": [*_names(webhooks)]})

    async def _look(self, request: Request) -> Response:
        listener = self._listeners.get(request.path_params["listener_id"])
        if listener is None:
            return n8n_answers.error_answer(404, "There is no such listener any more.")
        await read_body(request, _BODY_LIMIT)
        await unless_left(request, listener.wait(POLL_S))
        return n8n_answers.json_answer(200, _report(listener))

    async def _close(self, request: Request) -> Response:
        self._listeners.close(request.path_params["listener_id"])
        return n8n_answers.json_answer(200, {"closed": True})

    def _webhooks(self, path: str, route: str | None) -> dict[str, Webhook]:
        chosen = {
            name: settings
            for name, settings in self._settings.routes.items()
            if name == route
            or (route is None and path in {settings.path.strip("/"), _below_id(settings.webhook_id, settings.path)})
        }
        return {
            method: make_webhook(self._settings, name)
            for name, settings in chosen.items()
            for method in settings.methods
        }

    def _unknown(self, path: str, route: str | None) -> str:
        if route is not None:
            return f"There is no route {route!r}; {suggestion(route, self._settings.routes)}"
        paths = [settings.path.strip("/") for settings in self._settings.routes.values()]
        return f"No route has this path; {suggestion(path, paths)} Or name the route that is meant."

    def _guarded(self, handler: _Handler) -> _Handler:
        async def guarded(request: Request) -> Response:
            try:
                return turned_away(self._settings, request) or await handler(request)
            except RefusedError as error:
                return error.answer
            except ValidationError as error:
                first = error.errors(include_input=False)[0]
                return n8n_answers.error_answer(422, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
            except SecretMissingError as error:
                _log.error("api_unavailable", reason=str(error))
                return n8n_answers.error_answer(503, "A secret of the starter is missing: see its log.")

        return guarded


def _below_id(webhook_id: str | None, path: str) -> str | None:
    return f"{webhook_id}/{path.strip('/')}" if webhook_id else None


def _names(webhooks: dict[str, Webhook]) -> list[str]:
    return list(dict.fromkeys(webhook.name for webhook in webhooks.values()))


def _report(listener: Listener) -> dict[str, JsonValue]:
    return {
        "standing": listener.standing(asyncio.get_running_loop().time()),
        "call": listener.call.model_dump(mode="json") if listener.call else None,
        "refused": [call.model_dump(mode="json") for call in listener.refused],
    }
