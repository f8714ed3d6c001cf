"""Temporal's remote codec protocol: POST /decode and /encode, for callers with credentials only."""

from __future__ import annotations

from typing import NamedTuple

import structlog
from google.protobuf.json_format import MessageToJson, Parse, ParseError
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from temporalio.api.common.v1 import Payloads

from runtime.auth_settings import HeaderAuth
from runtime.codec import DecryptionError, EncryptionCodec, KeyRing
from runtime.encryption_settings import CodecServerSettings, ReaderAuth
from runtime.secrets import SecretMissingError
from starter.access.authentication import denial
from starter.wire.bodies import read_body
from starter.wire.refusals import RefusedError

_log = structlog.get_logger(__name__)
_WELCOME = "You may read clear text. Go back to the Web UI and load its page again.\n"


def create_app(settings: CodecServerSettings, auth: ReaderAuth, keys: KeyRing) -> Starlette:
    """The codec server as an ASGI application; `keys` holds at least one key."""
    server = _CodecServer(settings, auth, keys)
    routes = [
        Route("/", server.welcome),
        Route("/healthz", _healthy),
        Route("/decode", server.decode, methods=["POST"]),
        Route("/encode", server.encode, methods=["POST"]),
    ]
    app = Starlette(routes=routes, exception_handlers={ClientDisconnect: _left, Exception: _crashed})
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.origins,
        allow_methods=("POST",),
        # With credentials, * would be the name of a header.
        allow_headers=("Authorization", "Content-Type", "X-Namespace", *_own_header(auth)),
        allow_credentials=True,
        allow_private_network=True,
    )
    return app


def _own_header(auth: ReaderAuth) -> tuple[str, ...]:
    return (auth.name,) if isinstance(auth, HeaderAuth) else ()


class _CodecServer:
    """Turns payloads into clear text and back."""

    def __init__(self, settings: CodecServerSettings, auth: ReaderAuth, keys: KeyRing) -> None:
        self._settings = settings
        self._auth = auth
        self._codec = EncryptionCodec(keys)

    async def welcome(self, request: Request) -> Response:
        """`GET /`: where a browser signs in, since a page of another origin cannot ask for a password."""
        refused = self._turned_away(request)
        if refused is None:
            return PlainTextResponse(_WELCOME, headers={"Cache-Control": "no-store"})
        if self._auth.kind == "basic":
            # Only here: in answer to a page's call the browser would ask for a password out of the blue.
            refused.headers["WWW-Authenticate"] = 'Basic realm="clear text"'
        return refused

    async def decode(self, request: Request) -> Response:
        """`POST /decode`: the payloads in clear text; what is not encrypted comes back as it is."""
        asked = await self._asked(request)
        if isinstance(asked, Response):
            return asked
        try:
            clear = await self._codec.decode(asked.payloads.payloads)
        except DecryptionError as error:
            _log.warning("decoding_failed", namespace=asked.namespace, reason=str(error))
            return _refusal(400, str(error))
        _log.info("payloads_decoded", namespace=asked.namespace, payloads=len(clear))
        return _answer(Payloads(payloads=clear))

    async def encode(self, request: Request) -> Response:
        """`POST /encode`: the payloads encrypted, for Updates and Signals that are sent from the Web UI."""
        asked = await self._asked(request)
        if isinstance(asked, Response):
            return asked
        return _answer(Payloads(payloads=await self._codec.encode(asked.payloads.payloads)))

    async def _asked(self, request: Request) -> _Asked | Response:
        refused = self._turned_away(request)
        if refused is not None:
            return refused
        namespace = request.headers.get("x-namespace", "")
        if self._settings.namespaces and namespace not in self._settings.namespaces:
            return _refusal(403, f"namespace {namespace!r} is not among codec_server.namespaces")
        try:
            body = await read_body(request, self._settings.body_limit)
            return _Asked(namespace, Parse(body.decode(), Payloads(), ignore_unknown_fields=True))
        except RefusedError as refusal:
            return refusal.answer
        except (ParseError, ValueError, RecursionError):
            return _refusal(400, 'the body must be JSON, as {"payloads": [{"metadata": {}, "data": ""}]}')

    def _turned_away(self, request: Request) -> Response | None:
        try:
            denied = denial(self._auth, request.headers)
        except SecretMissingError as error:
            _log.exception("secret_missing", reason=str(error))
            return _refusal(503, "a secret of this server is missing: its log says which")
        return _refusal(denied.status, denied.message) if denied else None


class _Asked(NamedTuple):
    """What a caller with credentials asks for."""

    namespace: str
    payloads: Payloads


async def _healthy(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _answer(payloads: Payloads) -> Response:
    # Clear text must not stay in a cache.
    return Response(MessageToJson(payloads), media_type="application/json", headers={"Cache-Control": "no-store"})


def _refusal(status: int, message: str) -> Response:
    return JSONResponse({"message": message}, status)


async def _left(_request: Request, _error: Exception) -> Response:
    # Nobody hears it.
    return Response()


async def _crashed(_request: Request, error: Exception) -> Response:
    _log.error("request_crashed", exc_info=error)
    return _refusal(500, "this server made a mistake: its log says which")
