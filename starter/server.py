"""Running the starter on a socket until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator

import structlog
import uvicorn
from starlette.types import ASGIApp

from runtime.blobs import LocalBlobStore
from runtime.settings import Settings
from runtime.temporal import connect
from starter.app import create_app

_log = structlog.get_logger(__name__)
_BACKLOG = 2048
_GRACE_S = 10
"""Seconds that requests in flight get at the end: more than a start may take."""


class ListenError(Exception):
    """The address cannot be listened on. The message says which, why and what to do."""


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set, then let requests in flight finish. Temporal may come later.

    Raises `ListenError`, and `TemporalUnreachableError` where Temporal's own configuration cannot be used.
    """
    client = await connect(lazy=True, rpc_budget_s=settings.starter.start_deadline_s)
    app = create_app(settings, client, LocalBlobStore(settings.store.path))
    async with listening(app, settings.starter.host, settings.starter.port) as url:
        _log.info("starter_ready", url=url, routes=sorted(settings.routes))
        await stop.wait()
        _log.info("starter_stopping")


@contextlib.asynccontextmanager
async def listening(app: ASGIApp, host: str, port: int) -> AsyncIterator[str]:
    """Serve the application inside this event loop; gives its base URL. Port 0 = a free one.

    Raises `ListenError`.
    """
    listener = _listener(host, port)
    server = _Server(_config(app))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server.ready.wait()
        yield _url(host, listener)
    finally:
        server.should_exit = True
        await task


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


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_S,
    )


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        message = f"cannot listen on {host}:{port} ({reason}): stop what uses it or set another starter.port"
        raise ListenError(message) from None


def _url(host: str, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
