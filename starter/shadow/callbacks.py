"""`/shadow/{route}/callback`: where the old system tells its outcomes while it runs in our shadow."""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import time

import structlog
from PIL import Image
from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import Response

from contracts.dialects.outcomes import ToldImage, ToldOutcome, read_outcome
from contracts.identity import workflow_id
from contracts.search_attributes import keyword
from runtime.secrets import SecretMissingError
from runtime.settings import CallbackAuth, OutboundSignatureAuth, RouteSettings, Settings, SignatureAuth
from starter.access.authentication import denial
from starter.access.signatures import Signatures
from starter.images import media_type
from starter.shadow.journal import CallbackRecord, ImageFacts, ShadowJournal
from starter.wire import n8n_answers
from starter.wire.bodies import read_body
from starter.wire.json_bodies import parse_object
from starter.wire.refusals import RefusedError, Result

_log = structlog.get_logger(__name__)


class ShadowCallbacks:
    """Takes the old system's callbacks in Odoo's place, for routes that have a shadow."""

    def __init__(self, settings: Settings, journal: ShadowJournal) -> None:
        self._settings = settings
        self._journal = journal
        self._signatures = Signatures()

    async def answer(self, request: Request) -> Response:
        """As Odoo would: 200 to what can be read; the caller must carry what our own callbacks carry."""
        name = request.path_params["route"]
        route = self._settings.routes.get(name)
        if route is None or route.shadow is None:
            return n8n_answers.error_answer(404, "There is no route with a shadow of this name.")
        try:
            body = await self._authentic_body(request, name, route.callback.auth)
            return await self._take(name, route, parse_object(body))
        except RefusedError as error:
            return error.answer
        except (SecretMissingError, OSError) as error:
            _log.error("shadow_callback_not_taken", route=name, reason=str(error))
            headers = {"Retry-After": str(self._settings.starter.retry_after_s)}
            return n8n_answers.error_answer(503, "The callback was not taken. Send it again.", headers=headers)

    async def _authentic_body(self, request: Request, name: str, auth: CallbackAuth) -> bytes:
        limit = self._settings.starter.body_limit
        if isinstance(auth, OutboundSignatureAuth):
            body = await read_body(request, limit)
            expected = SignatureAuth(kind="signature", secret=auth.secret)
            denied = self._signatures.denial(expected, name, request.headers, body)
        else:
            denied = denial(auth, request.headers)
            body = b"" if denied else await read_body(request, limit)
        if denied:
            raise RefusedError(Result.REFUSED_CREDENTIALS, n8n_answers.denied(denied.status, denied.message))
        return body

    async def _take(self, name: str, route: RouteSettings, body: JsonValue) -> Response:
        told = read_outcome(route.dialect, body)
        if told is None:
            _log.warning("shadow_callback_unreadable", route=name)
            message = f"The body is no callback of dialect {route.dialect}: it needs the request's id and a status."
            return n8n_answers.error_answer(422, message)
        record = await asyncio.to_thread(_record, name, told)
        await asyncio.to_thread(self._journal.append, record)
        _log.info("shadow_callback_taken", route=name, request_id=record.request_id, completed=record.completed)
        return _accepted(body)


def _record(route: str, told: ToldOutcome) -> CallbackRecord:
    return CallbackRecord(
        at=time.time(),
        route=route,
        request_id=_writable(told.request_id),
        workflow_id=workflow_id(route, told.request_id),
        completed=told.completed,
        error_code=_writable(told.error_code) if told.error_code else None,
        images=tuple(map(_facts, told.images)),
    )


def _writable(text: str) -> str:
    # JSON can carry half a surrogate pair, which no file takes.
    return keyword(text).encode("utf-8", "replace").decode()


def _facts(image: ToldImage) -> ImageFacts:
    if image.base64 is None:
        return ImageFacts()
    try:
        data = base64.b64decode(image.base64)
    except (binascii.Error, ValueError):
        return ImageFacts(media_type="not base64")
    facts = ImageFacts(media_type=media_type(data), size=len(data))
    try:
        # The header tells the size: no pixel is decoded.
        with Image.open(io.BytesIO(data)) as opened:
            width, height = opened.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return facts
    return facts.model_copy(update={"width": width, "height": height})


def _accepted(body: JsonValue) -> Response:
    if isinstance(body, dict) and "jsonrpc" in body:
        return n8n_answers.json_answer(200, {"jsonrpc": "2.0", "id": body.get("id"), "result": {"status": "success"}})
    return n8n_answers.json_answer(200, {"status": "ok"})
