"""A self-written stand-in for Odoo: takes callbacks in five dialects, shows them, fails on demand.

Run it by `python -m operations.local.receiver --port 9002` and open its address in a browser.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import click
import httpx
from pydantic import BaseModel, ConfigDict, JsonValue
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from operations.local.callback_bodies import CallbackBodyError
from operations.local.callback_routes import CALLBACK_ROUTES, CallbackRoute, NotJsonError, not_json
from operations.local.fault_http import chosen_fault, disturb, fault_route, rules_option
from operations.local.faults import (
    CALLBACK_FAULTS,
    CORRELATION_HEADER,
    FaultEngine,
    FaultKind,
    FaultRule,
    FaultRuleError,
)
from operations.local.image_intake import take_image
from operations.local.ledger import Delivery, Ledger, Standing
from operations.local.serving import DroppedConnection, run
from operations.local.shelf import FileShelf
from runtime.secrets import SecretMissingError, SecretRef, resolve

_FETCH_TIMEOUT_S = 10.0
_LONGEST_OUTAGE_S = 3600.0
_GALLERY = Path(__file__).with_name("gallery.html")


class ReceiverConfig(BaseModel):
    """How the stand-in behaves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secret: SecretRef | None = None
    """Reference to the secret that every callback must carry; None = not checked."""
    faults: tuple[FaultRule, ...] = ()


@dataclass(slots=True)
class _Outage:
    """While it lasts the receiver closes every connection without an answer."""

    until: float = 0.0
    """`time.monotonic()` seconds."""


class _OutageMiddleware:
    def __init__(self, app: ASGIApp, outage: _Outage) -> None:
        self._app = app
        self._outage = outage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        down = scope["type"] == "http" and time.monotonic() < self._outage.until
        await (DroppedConnection() if down else self._app)(scope, receive, send)


class _Receiver:
    """One running stand-in: its faults, what it has received, and the client that fetches images by URL."""

    def __init__(self, config: ReceiverConfig) -> None:
        self.faults = FaultEngine(CALLBACK_FAULTS, config.faults)
        self.outage = _Outage()
        self._secret = resolve(config.secret) if config.secret else None
        self._ledger = Ledger()
        self._images = FileShelf()
        self._client = httpx.AsyncClient(timeout=_FETCH_TIMEOUT_S, follow_redirects=True)

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Closes the client at the end."""
        async with self._client:
            yield

    def callback(self, route: CallbackRoute) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint of one dialect."""

        async def endpoint(request: Request) -> Response:
            raw = await request.body()
            try:
                text = f"{route.path}\n{raw.decode(errors='replace')}"
                fault = chosen_fault(self.faults, request, text)
            except FaultRuleError as error:
                return JSONResponse({"error": str(error)}, 400)
            return await self._handle(request, route, raw, fault)

        return endpoint

    async def _handle(self, request: Request, route: CallbackRoute, raw: bytes, fault: FaultRule | None) -> Response:
        delivery = _delivery(request, route, raw)
        self._ledger.attempted(delivery)
        try:
            rpc_id, content = route.unwrap(raw)
        except NotJsonError:
            self._ledger.refuse()
            return not_json()
        disturbed = await self._disturb(route, rpc_id, fault)
        if disturbed is not None:
            return disturbed
        try:
            response = await self._admit(request, route, delivery, rpc_id, content)
        except CallbackBodyError as error:
            self._ledger.refuse()
            response = route.refuse(rpc_id, 400, str(error))
        return DroppedConnection() if fault and fault.kind is FaultKind.DROP_AFTER_WORK else response

    async def _disturb(self, route: CallbackRoute, rpc_id: JsonValue, fault: FaultRule | None) -> Response | None:
        match fault.kind if fault else None:
            case FaultKind.ERROR_IN_200:
                return route.fail_inside_200(rpc_id)
            case FaultKind.UNAUTHORIZED:
                return route.refuse(rpc_id, 401, "Access Denied")
            case _:
                return await disturb(fault, route.disturb)

    async def _admit(
        self,
        request: Request,
        route: CallbackRoute,
        delivery: Delivery,
        rpc_id: JsonValue,
        content: JsonValue,
    ) -> Response:
        if not self._matches(request.headers.get(route.header, "")):
            self._ledger.refuse()
            return route.refuse(rpc_id, 401, "Access Denied")
        standing = self._ledger.standing(delivery)
        if standing is Standing.NEW:
            standing = await self._apply(route, delivery, content)
        if standing is not Standing.NEW:
            self._ledger.count(standing)
        if standing is Standing.CONFLICT:
            return route.refuse(rpc_id, 409, "This Idempotency-Key came before with another body.")
        return route.accept(rpc_id)

    async def _apply(self, route: CallbackRoute, delivery: Delivery, content: JsonValue) -> Standing:
        body = route.read(content)
        token = body.secret()
        if token is not None and not self._matches(token):
            raise CallbackBodyError("security_token: is not the shared secret")
        notice = body.notice()
        images = [await take_image(source, self._client) for source in notice.images]
        for image in images:
            self._images.add(image.content, image.media_type)
        return self._ledger.settle(delivery, notice, images)

    def _matches(self, sent: str) -> bool:
        return self._secret is None or hmac.compare_digest(sent.encode(), self._secret.encode())

    async def received(self, request: Request) -> Response:
        """The ledger; `?limit=N` shows the newest N outcomes only; DELETE empties it."""
        if request.method == "DELETE":
            self._ledger = Ledger()
            self._images.clear()
        limit = request.query_params.get("limit", "")
        return JSONResponse(self._ledger.report(int(limit) if limit.isdecimal() else None))

    async def image(self, request: Request) -> Response:
        """An image that was received."""
        return self._images.respond(str(request.path_params["sha256"]))

    async def down(self, request: Request) -> Response:
        """`{"seconds": 5}`: answer nobody for that long, this request excepted."""
        try:
            seconds = float((await request.json())["seconds"])
        except (ValueError, TypeError, KeyError):
            seconds = -1.0
        if not 0 <= seconds <= _LONGEST_OUTAGE_S:
            return JSONResponse({"error": f"seconds: a number from 0 to {_LONGEST_OUTAGE_S:g} is required"}, 400)
        self.outage.until = time.monotonic() + seconds
        return JSONResponse({"down_for_s": seconds}, headers={"Connection": "close"})


def _delivery(request: Request, route: CallbackRoute, raw: bytes) -> Delivery:
    return Delivery(
        dialect=route.dialect,
        key=request.headers.get("Idempotency-Key"),
        digest=hashlib.sha256(raw).hexdigest(),
        correlation=request.headers.get(CORRELATION_HEADER),
        traceparent=request.headers.get("traceparent"),
        at=time.time(),
    )


async def _gallery(_: Request) -> Response:
    return FileResponse(_GALLERY)


async def _healthy(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def create_app(config: ReceiverConfig) -> Starlette:
    """The application. Serve it by `operations.local.serving`: other servers cannot drop connections.

    Raises `SecretMissingError` and `FaultRuleError`.
    """
    receiver = _Receiver(config)
    callbacks = [Route(route.path, receiver.callback(route), methods=["POST"]) for route in CALLBACK_ROUTES]
    return Starlette(
        routes=[
            *callbacks,
            Route("/", _gallery),
            Route("/received", receiver.received, methods=["GET", "DELETE"]),
            Route("/images/{sha256}", receiver.image),
            Route("/down", receiver.down, methods=["POST"]),
            Route("/healthz", _healthy),
            fault_route(receiver.faults),
        ],
        middleware=[Middleware(_OutageMiddleware, outage=receiver.outage)],
        lifespan=receiver.lifespan,
    )


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=9002, show_default=True, help="0 = a free port.")
@click.option("--secret-env", help="Name of the environment variable that holds the callbacks' shared secret.")
@click.option("--faults", type=click.Path(path_type=Path), callback=rules_option, help="JSON list of fault rules.")
def main(host: str, port: int, secret_env: str | None, faults: tuple[FaultRule, ...]) -> None:
    """Run the local receiver of callbacks, a self-written stand-in for Odoo."""
    secret = f"env:{secret_env}" if secret_env else None
    try:
        app = create_app(ReceiverConfig(secret=secret, faults=faults))
    except (SecretMissingError, FaultRuleError) as error:
        raise click.ClickException(str(error)) from None
    run(app, "receiver", host, port)


if __name__ == "__main__":
    main()
