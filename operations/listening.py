"""Listening for one call to a test URL, through the running starter's own interface."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import httpx

from runtime.authorization import auth_headers
from runtime.settings import JwtAuth, Settings
from starter.api.listening import POLL_S, ListenOrder

_ANSWER_S = 10.0


class ListenFailedError(Exception):
    """The starter does not let us listen. The message is one line that says what to do."""


class Listening:
    """One listener at the starter, as an asynchronous context: at the end the starter forgets it."""

    def __init__(self, settings: Settings, order: ListenOrder, base_url: str | None = None) -> None:
        self._url = (base_url or settings.starter.public_base_url).rstrip("/")
        self._order = order
        self._http = httpx.AsyncClient(
            base_url=self._url, headers=_credentials(settings), trust_env=False, timeout=POLL_S + _ANSWER_S
        )
        self._path = ""
        self.opened: dict[str, Any] = {}
        """What the starter said: `url`, `methods`, `routes`, `seconds`."""

    async def __aenter__(self) -> Self:
        """Begin; raises `ListenFailedError`."""
        try:
            self.opened = await self._call("POST", "/api/listeners", self._order.model_dump(mode="json"))
        except ListenFailedError:
            await self._http.aclose()
            raise
        self._path = f"/api/listeners/{self.opened['id']}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        try:
            await self._http.delete(self._path)
        except httpx.HTTPError:
            return  # The starter forgets it by itself.
        finally:
            await self._http.aclose()

    async def outcome(self) -> dict[str, Any]:
        """The report once a call was heard or the time is over; raises `ListenFailedError`."""
        while True:
            report = await self._call("GET", self._path)
            if report["standing"] != "waiting":
                return report

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            answer = await self._http.request(method, path, json=body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise ListenFailedError(f"{self._url} cannot be reached ({reason}): is the starter up?") from None
        content = _object(answer)
        if not answer.is_success or not content:
            said = content.get("message") or f"HTTP {answer.status_code} without a message: is this our starter?"
            raise ListenFailedError(f"{self._url} refused: {said}")
        return content


def _credentials(settings: Settings) -> dict[str, str]:
    auth = settings.api.auth
    if auth is None:
        raise ListenFailedError(
            "api.auth is not set, so the starter's interface is off: set it and restart the starter"
        )
    if isinstance(auth, JwtAuth):
        raise ListenFailedError("this command cannot make tokens: it needs an api.auth of kind basic, header or bearer")
    return auth_headers(auth)


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
