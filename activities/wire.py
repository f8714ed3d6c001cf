"""Tells when the whole of a paid request has left this host. Told beside the waiting call, which it costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpx

_SENT = frozenset({"http11.send_request_body.complete", "http2.send_request_body.complete"})

_told: ContextVar[Callable[[], None] | None] = ContextVar("told_when_sent", default=None)


@contextmanager
def told_when_sent(tell: Callable[[], None]) -> Iterator[None]:
    """Inside, `tell` is called whenever a POST of a client with the hook below has been sent in full."""
    token = _told.set(tell)
    try:
        yield
    finally:
        _told.reset(token)


async def watch(request: httpx.Request) -> None:
    """A request hook of an `httpx.AsyncClient`."""
    tell = _told.get()
    if tell is None or request.method != "POST":
        return

    async def trace(event: str, _info: dict[str, Any]) -> None:
        if event in _SENT:
            tell()

    request.extensions = {**request.extensions, "trace": trace}
