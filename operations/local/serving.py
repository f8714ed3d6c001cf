"""Serving a stand-in: listen on a given or a free port, say so, stop at once, lose connections on demand."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Iterator

import click
import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_ABORT = "local.abort_connection"
_GRACE_S = 1
"""Seconds that open requests get when the server stops."""


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


class _Protocol(H11Protocol):
    """Tells the application how to close its connection, which ASGI has no word for."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app = self.app

        async def with_abort(scope: Scope, receive: Receive, send: Send) -> None:
            scope["extensions"] = {**scope.get("extensions", {}), _ABORT: transport.abort}
            await app(scope, receive, send)

        self.app = with_abort


class _Server(uvicorn.Server):
    """Leaves signals to its owner and tells when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()


@contextlib.asynccontextmanager
async def listening(app: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve the application inside this event loop; gives its base URL. Port 0 = a free one.

    Raises `OSError` where the port is not free. Requests that are open at the end get one second.
    """
    listener = _listener(host, port)
    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        log_config=None,
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server.ready.wait()
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


def _listener(host: str, port: int) -> socket.socket:
    listener = socket.create_server((host, port))
    # asyncio would not set this: it takes a socket for TCP only if its protocol number says so, and this one's is 0.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def run(app: ASGIApp, name: str, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM; prints one line when ready. A port in use is a click error."""
    try:
        asyncio.run(_until_signal(app, name, host, port))
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {host}:{port} ({error.strerror}): choose another --port, or 0 for a free one"
        ) from None


async def _until_signal(app: ASGIApp, name: str, host: str, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with listening(app, host, port) as url:
        click.echo(f"{name} ready on {url}")
        await stop.wait()
