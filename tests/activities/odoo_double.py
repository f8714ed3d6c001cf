"""An Odoo in memory behind a real socket that speaks JSON-2; any of its calls can be made to fail, done or not."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

Row = dict[str, Any]


class OdooDouble:
    """Tables of records; the n-th call of all (from 0) meets its fault: `before` or `after` it is done."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[int, Row]] = {}
        self.calls: list[tuple[str, str, Row]] = []
        self.faults: dict[int, str] = {}
        self.refusal: tuple[int, Row, Mapping[str, str]] | None = None
        """What every call is answered in place of anything else."""
        self._numbers = itertools.count(1)

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[Route("/json/2/{model}/{method}", self._serve, methods=["POST"])])

    def add(self, table: str, /, **values: Any) -> int:
        number = next(self._numbers)
        self.tables.setdefault(table, {})[number] = {"id": number, **values}
        return number

    def rows(self, model: str) -> list[Row]:
        return list(self.tables.get(model, {}).values())

    async def _serve(self, request: Request) -> JSONResponse:
        model, method, body = request.path_params["model"], request.path_params["method"], await request.json()
        fault = self.faults.get(len(self.calls))
        self.calls.append((model, method, body))
        if self.refusal is not None:
            status, content, headers = self.refusal
            return JSONResponse(content, status, headers)
        assert request.headers["authorization"].startswith("Bearer ")
        assert request.headers["x-odoo-database"] == "acme"
        if fault == "before":
            return JSONResponse({"name": "psycopg2.OperationalError", "message": "gone"}, 500)
        done = getattr(self, f"_{method}")(model, **body)
        return JSONResponse({"name": "psycopg2.OperationalError", "message": "gone"}, 500) if fault else done

    def _read(self, model: str, ids: list[int], fields: list[str], load: str | None) -> JSONResponse:
        assert load is None
        found = [row for row in self.rows(model) if row["id"] in ids]
        return JSONResponse([{name: row.get(name, False) for name in ("id", *fields)} for row in found])

    def _search(self, model: str, domain: list[tuple[str, str, Any]], limit: int) -> JSONResponse:
        matching = [row["id"] for row in self.rows(model) if all(row.get(name) == value for name, _, value in domain)]
        return JSONResponse(matching[:limit])

    def _write(self, model: str, ids: list[int], vals: Row) -> JSONResponse:
        for number in ids:
            self.tables[model][number].update(vals)
        return JSONResponse(content=True)

    def _create(self, model: str, vals_list: list[Row]) -> JSONResponse:
        return JSONResponse([self.add(model, **values) for values in vals_list])

    def _message_post(self, model: str, ids: list[int], **message: Any) -> JSONResponse:
        return JSONResponse([self.add("mail.message", model=model, res_id=ids[0], **message)])
