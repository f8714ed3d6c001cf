"""What every HTTP exchange with an image service shares: the client's rules, the size cap, the meaning of a break."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from activities.services.base import Call, ServiceError
from activities.services.http_errors import read_exception
from activities.services.refusals import Phase
from activities.wire import watch
from runtime.tracing_http import TracedTransport

USER_AGENT = "odoo-image-orchestrator"
CONNECT_S = 10.0
"""Longest time for a connection."""
KEEPALIVE_S = 1.5
"""Shorter than common servers' (gunicorn 2 s, uvicorn and node 5 s): a connection that is closed under a paid POST
makes its outcome unknown."""


class TooLargeError(Exception):
    """A body is larger than allowed."""


def new_client(*, keepalive: bool) -> httpx.AsyncClient:
    """A client that adds nothing of its own: no retries, redirects, cookies, proxies or settings from the environment.

    The number of connections is not limited: the worker's slots do that.
    """
    limits = httpx.Limits(max_keepalive_connections=None if keepalive else 0, keepalive_expiry=KEEPALIVE_S)
    return httpx.AsyncClient(
        headers={"User-Agent": USER_AGENT},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        trust_env=False,
        transport=TracedTransport(httpx.AsyncHTTPTransport(verify=_tls(), limits=limits, trust_env=False)),
        event_hooks={"request": [watch]},
    )


@cache
def _tls() -> ssl.SSLContext:
    """One for all clients: loading the certificates takes longer than a local call."""
    return httpx.create_ssl_context(trust_env=False)


def call_headers(call: Call) -> dict[str, str]:
    """The headers that name a request everywhere."""
    return {"X-Correlation-Id": call.correlation_id, "traceparent": call.traceparent}


def timeouts(total_s: float) -> httpx.Timeout:
    """Only the total bounds an answer; connecting gets less, so that the total can run out only after sending began."""
    return httpx.Timeout(None, connect=min(CONNECT_S, total_s / 4), pool=min(CONNECT_S, total_s / 4))


@contextlib.asynccontextmanager
async def exchange(phase: Phase, service: str, timeout_s: float) -> AsyncIterator[None]:
    """Bound an exchange in time and raise `ServiceError` where it breaks."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except (TimeoutError, httpx.HTTPError) as error:
        raise ServiceError(read_exception(error, phase, service, timeout_s)) from None


async def read_capped(response: httpx.Response, limit: int) -> bytes:
    """The body of a streamed response; raises `TooLargeError` as soon as it exceeds `limit` bytes."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > limit:
            raise TooLargeError
    return bytes(body)
