"""JSON-RPC by the package OdooRPC, for Odoo 17 to 19: blocking, so in a few threads with a session each."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener

import httpx
import odoorpc
from odoorpc.error import RPCError
from pydantic import JsonValue

from activities.odoo.errors import OdooRefusedError, refused, unanswered, unreadable
from activities.odoo.port import MethodCalls, Values
from runtime.retry_after import retry_after_s

_DIALECT_VERSION = "17.0"
"""Given, it need not be asked for; OdooRPC speaks to all versions since 10 in the same way."""
_POSITIONAL = frozenset({"create"})
"""Methods whose arguments Odoo's RPC layer wants by position."""
_PORTS = {"http": 80, "https": 443}
_DENIED = "odoo.exceptions.AccessDenied"


@dataclass(frozen=True, slots=True)
class Login:
    """Where and as whom."""

    base_url: str
    database: str
    user: str
    key: str = field(repr=False)


class RpcThreads:
    """The threads of one Odoo."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="odoo-rpc")
        self._own = threading.local()

    async def execute(self, login: Login, timeout_s: float, call: tuple[Any, ...]) -> JsonValue:
        """`execute_kw` in a thread. A call cannot be stopped, so whoever is cancelled waits for its end first."""
        job = asyncio.get_running_loop().run_in_executor(self._pool, self._execute, login, timeout_s, call)
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            await asyncio.wait([job])
            job.exception()
            raise

    def close(self) -> None:
        """Take no further calls."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _execute(self, login: Login, timeout_s: float, call: tuple[Any, ...]) -> JsonValue:
        session = self._session(login, timeout_s)
        answer: JsonValue = session.execute_kw(*call)
        return answer

    def _session(self, login: Login, timeout_s: float) -> odoorpc.ODOO:
        known: tuple[Login, odoorpc.ODOO] | None = getattr(self._own, "session", None)
        if known is not None and known[0] == login:
            known[1].config["timeout"] = timeout_s
            return known[1]
        session = _connected(login, timeout_s)
        self._own.session = (login, session)
        return session


@dataclass(frozen=True, slots=True)
class OdooRpcPort(MethodCalls):
    """Calls of one attempt."""

    threads: RpcThreads
    login: Login
    timeout_s: float
    """Seconds for one call."""

    async def call(self, model: str, method: str, ids: Sequence[int] | None, arguments: Values) -> JsonValue:
        """`execute_kw`; raises `OdooRefusedError`."""
        positional = [] if ids is None else [list(ids)]
        by_position = method in _POSITIONAL
        args = [*positional, *(arguments.values() if by_position else ())]
        named = {} if by_position else dict(arguments)
        try:
            return await self.threads.execute(self.login, self.timeout_s, (model, method, args, named))
        except (RPCError, OSError, HTTPException, ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._translated(error) from None

    def _translated(self, error: Exception) -> OdooRefusedError:
        secrets = [self.login.key]
        match error:
            case RPCError():
                return _refusal(error, secrets)
            case HTTPError():
                error.close()
                wait = retry_after_s(httpx.Headers(dict(error.headers)), b"", now=time.time())
                return unreadable(error.code, b"", secrets, wait)
            case OSError() | HTTPException():
                return unanswered(error, secrets)
            case _:
                # OdooRPC reads answers without a look: one that is no JSON-RPC breaks it.
                return unreadable(200, b"", secrets)


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_args: object, **_named: object) -> None:
        """Never follow: the call holds a key."""


def _connected(login: Login, timeout_s: float) -> odoorpc.ODOO:
    url = urlsplit(login.base_url)
    session = odoorpc.ODOO(
        url.hostname,
        "jsonrpc+ssl" if url.scheme == "https" else "jsonrpc",
        url.port or _PORTS[url.scheme],
        timeout=timeout_s,
        version=_DIALECT_VERSION,
        opener=build_opener(ProxyHandler({}), _NoRedirects()),
    )
    session.login(login.database, login.user, login.key)
    return session


def _refusal(error: RPCError, secrets: Sequence[str]) -> OdooRefusedError:
    data = error.info.get("data") if isinstance(error.info, dict) else None
    if not isinstance(data, dict):
        # Not from Odoo: OdooRPC found that the login gave no user.
        return refused(_DENIED, str(error), secrets)
    return refused(str(data.get("name")), str(data.get("message")), secrets)
