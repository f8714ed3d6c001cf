"""Running the starter on a socket until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import cast

import structlog
import uvicorn
from starlette.types import ASGIApp

from runtime.blobs import open_store
from runtime.settings import Settings, StarterSettings
from runtime.temporal import connect
from starter.app import create_app
from starter.wire.connections import ConnectionLimits, GuardedProtocol

_log = structlog.get_logger(__name__)
_BACKLOG = 2048
_DEFAULT_LIMITS = ConnectionLimits()


class ListenError(Exception):
    """The address cannot be listened on. The message says which, why and what to do."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem}: stop what uses it or set another starter.port")
        self.problem = problem
        """Which address and why, without what to do."""


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set, then let requests in flight finish. Temporal may come later.

    Raises `ListenError`, and `TemporalUnreachableError` where Temporal's own configuration cannot be used.
    """
    client = await connect(encryption=settings.encryption, lazy=True, rpc_budget_s=settings.starter.start_deadline_s)
    app = create_app(settings, client, open_store(settings.store))
    limits = connection_limits(settings.starter)
    async with listening(app, settings.starter.host, settings.starter.port, limits) as url:
        _log.info("starter_ready", url=url, routes=sorted(settings.routes))
        await stop.wait()
        app.state.health.drain()
        _log.info("starter_stopping", drain_s=settings.starter.drain_s)
        await asyncio.sleep(settings.starter.drain_s)


def connection_limits(starter: StarterSettings) -> ConnectionLimits:
    """What the settings allow a connection."""
    return ConnectionLimits(
        header_deadline_s=starter.header_deadline_s,
        body_deadline_s=starter.body_deadline_s,
        connections=starter.connection_limit,
        retry_after_s=starter.retry_after_s,
    )


@contextlib.asynccontextmanager
async def listening(
    app: ASGIApp,
    host: str,
    port: int,
    limits: ConnectionLimits = _DEFAULT_LIMITS,
    protocol: type[GuardedProtocol] = GuardedProtocol,
) -> AsyncIterator[str]:
    """Serve the application inside this event loop; gives its base URL. Port 0 = a free one.

    Raises `ListenError`.
    """
    listener = _listener(host, port)
    server = _Server(_config(app, limits, protocol))
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


def _config(app: ASGIApp, limits: ConnectionLimits, protocol: type[GuardedProtocol]) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=cast("type[asyncio.Protocol]", partial(protocol, limits)),
        ws="none",
        lifespan="on",
        log_config=None,
        # What callers do wrong is answered, not logged: else anybody could fill the logs. What we do wrong, we log.
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=limits.grace_s,
    )


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise ListenError(f"cannot listen on {host}:{port} ({reason})") from None
    # asyncio would not set this: it takes a socket for TCP only if its protocol number says so, and this one's is 0.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _url(host: str, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
