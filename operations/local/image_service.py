"""A self-written stand-in for an AI image service: draws landscapes, speaks two protocols, fails on demand.

Run it by `python -m operations.local.image_service --port 9001`.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import click
from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from operations.local.drawing import draw
from operations.local.fault_http import (
    HTML_PAGE,
    ErrorAnswer,
    chosen_fault,
    disturb,
    fault_route,
    rules_option,
)
from operations.local.faults import (
    CORRELATION_HEADER,
    IMAGE_FAULTS,
    FaultEngine,
    FaultKind,
    FaultRule,
    FaultRuleError,
)
from operations.local.image_protocols import (
    BadOrderError,
    FluxProtocol,
    ImageOrder,
    MadeImage,
    OpenAIProtocol,
    WireProtocol,
)
from operations.local.journal import Call, CallJournal
from operations.local.serving import DroppedConnection, HeldConnection, run
from operations.local.shelf import FileShelf
from runtime.secrets import SecretMissingError, SecretRef, resolve

_PNG = "image/png"


class ImageServiceConfig(BaseModel):
    """How the stand-in behaves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latency_s: float = Field(default=0.0, ge=0, le=3600)
    """Seconds that every generation takes on top of the drawing."""
    key: SecretRef | None = None
    """Reference to the Bearer key that clients must send; None = not checked."""
    faults: tuple[FaultRule, ...] = ()


class _ImageService:
    """One running stand-in: its faults, its journal and the files that its URLs name."""

    def __init__(self, config: ImageServiceConfig) -> None:
        self.faults = FaultEngine(IMAGE_FAULTS, config.faults)
        self._latency_s = config.latency_s
        self._key = resolve(config.key) if config.key else None
        self._journal = CallJournal()
        self._files = FileShelf()

    def generate(self, wire: WireProtocol) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint of one protocol."""

        async def endpoint(request: Request) -> Response:
            response = await self._admit(request, wire)
            response.headers["X-Request-Id"] = f"req_{uuid.uuid4().hex}"
            return response

        return endpoint

    async def _admit(self, request: Request, wire: WireProtocol) -> Response:
        if not self._authorised(request):
            return self._refused(request, wire.refuse(_error(401, "invalid_api_key", "Incorrect API key.")))
        try:
            order = wire.read(await request.body())
            fault = chosen_fault(self.faults, request, order.prompt)
        except (BadOrderError, FaultRuleError) as error:
            return self._refused(request, wire.refuse(_error(400, "invalid_request", str(error))))
        return await self._serve(request, wire, order, fault)

    async def _serve(
        self, request: Request, wire: WireProtocol, order: ImageOrder, fault: FaultRule | None
    ) -> Response:
        disturbed = await disturb(fault, wire.refuse)
        if disturbed is not None:
            return self._recorded(request, disturbed, order.prompt, fault)
        await asyncio.sleep(self._latency_s)
        kind = fault.kind if fault else None
        count = 0 if kind is FaultKind.NO_IMAGE else order.count
        images = [self._make(request, order, order.seed + index, kind) for index in range(count)]
        response: Response = JSONResponse(wire.render(order, images, time.time()))
        if kind is FaultKind.DROP_AFTER_WORK:
            response = DroppedConnection()
        return self._recorded(request, response, order.prompt, fault, paid=kind is not FaultKind.NO_IMAGE)

    def _make(self, request: Request, order: ImageOrder, seed: int, kind: FaultKind | None) -> MadeImage:
        content = _spoilt(draw(order.prompt, seed, order.width, order.height), kind)
        if order.transport == "url":
            media_type = "text/html" if kind is FaultKind.HTML_IMAGE else _PNG
            name = f"{self._files.add(content, media_type)}.png"
            return MadeImage(seed, url=str(request.url_for("file", name=name)))
        text = base64.b64encode(content).decode()
        if order.transport == "data_uri":
            return MadeImage(seed, url=f"data:{_PNG};base64,{text}")
        return MadeImage(seed, base64=text)

    def _authorised(self, request: Request) -> bool:
        sent = request.headers.get("Authorization", "")
        return self._key is None or hmac.compare_digest(sent.encode(), f"Bearer {self._key}".encode())

    def _refused(self, request: Request, response: Response) -> Response:
        return self._recorded(request, response, "", None)

    def _recorded(
        self,
        request: Request,
        response: Response,
        prompt: str,
        fault: FaultRule | None,
        *,
        paid: bool = False,
    ) -> Response:
        call = Call(
            at=time.time(),
            path=request.url.path,
            correlation_id=request.headers.get(CORRELATION_HEADER) or prompt,
            prompt=prompt,
            fault=fault.kind.value if fault else None,
            paid=paid,
            status=None if isinstance(response, HeldConnection) else response.status_code,
        )
        self._journal.record(call)
        return response

    async def file(self, request: Request) -> Response:
        """A file that an answer named by URL."""
        return self._files.respond(str(request.path_params["name"]).removesuffix(".png"))

    async def journal(self, request: Request) -> Response:
        """The journal; DELETE empties it."""
        if request.method == "DELETE":
            self._journal.clear()
        return JSONResponse(self._journal.report())


def _error(status: int, code: str, message: str) -> ErrorAnswer:
    return ErrorAnswer(status, code, message, "invalid_request_error")


def _spoilt(content: bytes, kind: FaultKind | None) -> bytes:
    match kind:
        case FaultKind.TRUNCATED_IMAGE:
            return content[: len(content) // 2]
        case FaultKind.HTML_IMAGE:
            return HTML_PAGE.encode()
        case FaultKind.EMPTY_IMAGE:
            return b""
        case _:
            return content


async def _healthy(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def create_app(config: ImageServiceConfig) -> Starlette:
    """The application. Serve it by `operations.local.serving`: other servers cannot drop connections.

    Raises `SecretMissingError` and `FaultRuleError`.
    """
    service = _ImageService(config)
    return Starlette(
        routes=[
            Route("/v1/images/generations", service.generate(OpenAIProtocol()), methods=["POST"]),
            Route("/generate", service.generate(FluxProtocol()), methods=["POST"]),
            Route("/files/{name}", service.file, name="file"),
            Route("/journal", service.journal, methods=["GET", "DELETE"]),
            Route("/healthz", _healthy),
            fault_route(service.faults),
        ]
    )


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=9001, show_default=True, help="0 = a free port.")
@click.option("--latency", default=0.0, show_default=True, type=click.FloatRange(0, 3600), help="Seconds.")
@click.option("--key-env", help="Name of the environment variable that holds the Bearer key.")
@click.option("--faults", type=click.Path(path_type=Path), callback=rules_option, help="JSON list of fault rules.")
def main(host: str, port: int, latency: float, key_env: str | None, faults: tuple[FaultRule, ...]) -> None:
    """Run the local image service, a self-written stand-in."""
    key = f"env:{key_env}" if key_env else None
    try:
        app = create_app(ImageServiceConfig(latency_s=latency, key=key, faults=faults))
    except (SecretMissingError, FaultRuleError) as error:
        raise click.ClickException(str(error)) from None
    run(app, "image service", host, port)


if __name__ == "__main__":
    main()
