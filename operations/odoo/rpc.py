"""Calls to an Odoo as one of its users, by JSON-RPC."""

from __future__ import annotations

import itertools
from types import TracebackType
from typing import Any, Self

import httpx

from operations.odoo.installation import LOGIN, PASSWORD


class OdooCallError(Exception):
    """Odoo refused a call. The message is Odoo's own; `name` is the exception's, as odoo.exceptions.UserError."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


class OdooClient:
    """One user of one database. Raises `OdooCallError`, and `httpx.HTTPError` where Odoo does not answer."""

    def __init__(self, url: str, database: str, login: str = LOGIN, password: str = PASSWORD) -> None:
        self._http = httpx.AsyncClient(base_url=url, trust_env=False, timeout=60.0)
        self._database, self._login, self._password = database, login, password
        self._user: int | None = None
        self._numbers = itertools.count(1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def call(self, model: str, method: str, *args: Any, **named: Any) -> Any:  # noqa: ANN401 - Odoo's JSON
        """Call a public method; `args` begin with the ids where the method is of records."""
        if self._user is None:
            self._user = await self._service("common", "login", self._database, self._login, self._password)
        credentials = (self._database, self._user, self._password)
        return await self._service("object", "execute_kw", *credentials, model, method, args, named)

    async def create(self, model: str, **values: Any) -> int:  # noqa: ANN401 - Odoo's JSON
        """Create one record; gives its id."""
        (made,) = await self.call(model, "create", [values])
        return int(made)

    async def read(self, model: str, record: int, *fields: str) -> dict[str, Any]:
        """The fields of one record; none named = all."""
        (found,) = await self.call(model, "read", [record], list(fields))
        return dict(found)

    async def search(self, model: str, *domain: list[Any], fields: tuple[str, ...] = ("id",)) -> list[dict[str, Any]]:
        """The records that the domain finds."""
        found: list[dict[str, Any]] = await self.call(model, "search_read", list(domain), list(fields))
        return found

    async def write(self, model: str, record: int, **values: Any) -> None:  # noqa: ANN401 - Odoo's JSON
        """Change one record."""
        await self.call(model, "write", [record], values)

    async def _service(self, service: str, method: str, *args: Any) -> Any:  # noqa: ANN401 - Odoo's JSON
        params = {"service": service, "method": method, "args": args}
        body = {"jsonrpc": "2.0", "method": "call", "id": next(self._numbers), "params": params}
        answer = (await self._http.post("/jsonrpc", json=body)).raise_for_status().json()
        if "error" in answer:
            data = answer["error"].get("data") or {}
            raise OdooCallError(str(data.get("name")), str(data.get("message") or answer["error"].get("message")))
        return answer.get("result")
