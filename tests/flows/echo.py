"""A self-written image service and Odoo in one, which repeats every secret it is shown wherever an answer has room."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from types import MappingProxyType

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.services.calls import picture

_PICTURE = base64.b64encode(picture()).decode()
_DULL = frozenset({"host", "accept", "accept-encoding", "connection", "content-length", "content-type", "user-agent"})


def _error(said: str) -> dict[str, object]:
    return {"message": said, "type": said, "code": said}


WAYS: Mapping[str, Callable[[str], Response]] = MappingProxyType(
    {
        "refused": lambda said: JSONResponse({"error": _error(said)}, 401),
        "invalid": lambda said: JSONResponse({"detail": [{"loc": ["body", said], "msg": said, "type": said}]}, 422),
        "failing": lambda said: JSONResponse({"error": _error(said)}, 500),
        "torn": lambda said: JSONResponse({"error": "x" * 150 + said}, 401),
        "text": lambda said: PlainTextResponse(said, 400),
        "page": lambda said: HTMLResponse(f"<html>{said}</html>", 502),
        "redirect": lambda said: RedirectResponse(f"http://stranger.example/{said}?key={said}"),
        "in-200": lambda said: JSONResponse({"error": {**_error(said), "data": {"name": said, "message": said}}}),
    }
)
"""How an exchange fails, by the word after `image:` or `odoo:` in the request id."""


def _made(said: str) -> Response:
    image = {"b64_json": _PICTURE, "seed": 7}
    return JSONResponse({"data": [image], "images": [image], "model": said, "metadata": {"model": said}})


def _taken(said: str) -> Response:
    return JSONResponse({"jsonrpc": "2.0", "id": 1, "result": {"status": "success", "said": said}})


async def _answer(request: Request) -> Response:
    body = (await request.body()).decode(errors="replace")
    who, fine = ("odoo", _taken) if "callback" in request.url.path else ("image", _made)
    shown = [value for name, value in request.headers.items() if name not in _DULL and ":" not in value]
    token = body.partition('"security_token":"')[2].partition('"')[0]
    said = " ".join([*shown, token])
    correlation = request.headers.get("x-correlation-id", "")
    way = next((way for name, way in WAYS.items() if f"{who}:{name}." in correlation), fine)
    response = way(said.strip())
    response.headers["X-Request-Id"] = said.strip()
    response.headers["Set-Cookie"] = f"session={token}"
    return response


def create_app() -> Starlette:
    """The application."""
    return Starlette(routes=[Route("/{path:path}", _answer, methods=["POST"])])
