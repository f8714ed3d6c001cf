"""Serving a stand-in: listen on a given or a free port, say so, stop at once, lose connections on demand."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AbstractAsyncContextManager
from typing import Any

import click
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from starter.wire import server
from starter.wire.connections import ConnectionLimits, GuardedProtocol

_ABORT = "local.abort_connection"
_LIMITS = ConnectionLimits(grace_s=1)


class HeldConnection(Response):
    """No answer at all: the connection stays open until the client goes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - nothing is sent
        """Wait for the client to go."""
        while (await receive())["type"] != "http.disconnect":
            pass


class DroppedConnection(HeldConnection):
    """No answer at all: the connection is closed. Works only under this module's server."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close the connection and wait until it is closed, so that the server sends no error page."""
        scope["extensions"][_ABORT]()
        await super().__call__(scope, receive, send)


class _Protocol(GuardedProtocol):
    """Tells the application how to close its connection, which ASGI has no word for."""

    def __init__(self, *given: Any, **server: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(*given, **server)
        app = self.app

        async def with_abort(scope: Scope, receive: Receive, send: Send) -> None:
            scope["extensions"] = {**scope.get("extensions", {}), _ABORT: self.transport.abort}
            await app(scope, receive, send)

        self.app = with_abort


def listening(app: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> AbstractAsyncContextManager[str]:
    """Serve the application inside this event loop; gives its base URL. Port 0 = a free one.

    Raises `starter.wire.server.ListenError`. Requests that are open at the end get one second.
    """
    return server.listening(app, host, port, _LIMITS, _Protocol)


def run(app: ASGIApp, name: str, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM; prints one line when ready. A port in use is a click error."""
    try:
        asyncio.run(_until_signal(app, name, host, port))
    except server.ListenError as error:
        raise click.ClickException(f"{error.problem}: choose another --port, or 0 for a free one") from None


async def _until_signal(app: ASGIApp, name: str, host: str, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with listening(app, host, port) as url:
        click.echo(f"{name} ready on {url}")
        await stop.wait()
