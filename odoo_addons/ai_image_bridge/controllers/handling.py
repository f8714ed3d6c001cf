"""One callback from the first header to the answer: authenticate, limit, parse, write."""

import contextlib
import json
import logging
import time
from typing import NamedTuple

from psycopg2.pool import PoolError
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from odoo.exceptions import AccessError, UserError
from odoo.http import request

from ..models import parameters
from ..models.connections import SECOND_CONNECTIONS
from ..models.outcomes import read_outcome
from ..models.wire_fields import RefusedError
from . import authentication

_logger = logging.getLogger(__name__)

OK_STATUS = {"adapter": "success", "endpoint": "success"}
MEDIA_TYPES = ("application/json", "text/json")
POOL_WAIT_S = 2


class Envelope(NamedTuple):
    """How the body came: bare, or in JSON-RPC with this id."""

    is_rpc: bool = False
    rpc_id: object = None


def handle(endpoint, dialect):
    """Answer the current request: JSON always, real status codes, and nothing written unless the answer is 200."""
    envelope = Envelope()
    try:
        body = _authenticated_body(endpoint)
        content, envelope = _parsed(body)
        if endpoint == "endpoint":
            _check_token(content)
        outcome = read_outcome(dialect, content)
        return _accepted(endpoint, envelope, outcome, _written(outcome))
    except RefusedError as refusal:
        _logger.info("callback at %s refused: %s %s", endpoint, refusal.status, refusal.reason)
        return _refused(envelope, refusal)


def _authenticated_body(endpoint):
    headers, limit = request.httprequest.headers, parameters.number(request.env, "body_limit_mb") * 2**20
    secrets = _secrets()
    if not any(secrets):
        _logger.error("no callback secret is set: every callback is refused")
    signed = authentication.is_signed(headers)
    if not signed and not authentication.has_secret(endpoint, headers, secrets):
        _drain(limit)
        raise RefusedError(401, "the secret or signature is missing or wrong", {"WWW-Authenticate": "Bearer"})
    body = None
    if signed:
        body = _read_body(limit)
        if not authentication.is_signature_valid(headers, body, secrets, time.time()):
            raise RefusedError(401, "the signature is wrong or too old", {"WWW-Authenticate": "Bearer"})
    _check_rate(endpoint)
    _check_media_type()
    return _read_body(limit) if body is None else body


def _secrets():
    return [parameters.text(request.env, name) for name in ("callback_secret", "callback_secret_old")]


def _check_rate(endpoint):
    # Odoo runs the whole request again after a serialization failure: still one call.
    if getattr(request, "ai_image_counted", False):
        return
    try:
        wait_s = request.env["ai.image.rate"].sudo()._wait_s(f"{request.httprequest.remote_addr} {endpoint}")
    except PoolError:
        raise RefusedError(503, "too busy to count calls", {"Retry-After": str(POOL_WAIT_S)}) from None
    if wait_s:
        _drain(parameters.number(request.env, "body_limit_mb") * 2**20)
        raise RefusedError(429, "too many callbacks in this minute", {"Retry-After": str(wait_s)})
    request.ai_image_counted = True


def _check_media_type():
    media_type = request.httprequest.mimetype or ""
    if media_type not in MEDIA_TYPES and not media_type.endswith("+json"):
        raise RefusedError(415, "the body must be application/json")
    if request.httprequest.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise RefusedError(415, "the body must not be compressed")


def _read_body(limit):
    too_large = RefusedError(413, f"the body must not have more than {limit} bytes")
    if (request.httprequest.content_length or 0) > limit:
        raise too_large
    try:
        body = request.httprequest.get_data()
    except RequestEntityTooLarge:
        raise too_large from None
    except ClientDisconnected:
        raise RefusedError(400, "the body ended too early") from None
    if len(body) > limit:
        raise too_large
    return body


def _drain(limit):
    """Read what was sent and forget it: a caller that is still sending would not see the answer."""
    if (request.httprequest.content_length or 0) <= limit:
        with contextlib.suppress(RequestEntityTooLarge, ClientDisconnected):
            request.httprequest.get_data(cache=False)


def _parsed(body):
    try:
        content = json.loads(body, parse_constant=_not_json)
    except (ValueError, RecursionError):
        raise RefusedError(400, "the body is not JSON, or nested too deeply") from None
    if not isinstance(content, dict):
        raise RefusedError(400, "the body must be a JSON object")
    if "jsonrpc" not in content:
        return content, Envelope()
    given = content.get("id")
    rpc_id = given if isinstance(given, str | int) and len(str(given)) <= 200 else None
    params = content.get("params")
    if not isinstance(params, dict):
        raise RefusedError(400, "params must be a JSON object")
    return params, Envelope(True, rpc_id)


def _not_json(name):
    raise ValueError(name)


def _check_token(content):
    expected = parameters.text(request.env, "security_token")
    given = content.get("security_token")
    if expected and not (isinstance(given, str) and authentication.equals(given, [expected, *_secrets()])):
        raise RefusedError(401, "the security_token is missing or wrong")


def _written(outcome):
    bot = request.env.ref("ai_image_bridge.user_bot")
    requests = request.env["ai.image.request"].with_user(bot)
    try:
        # A returned answer commits, so what was written before a refusal must be undone here.
        with request.env.cr.savepoint():
            result = requests._receive(outcome)
    except (AccessError, UserError) as error:
        raise RefusedError(422, str(error)[:500]) from None
    _commit()
    return result


def _commit():
    """Commit now, few at a time: what Odoo does after a commit (bus, crons) takes a second connection."""
    cr = request.env.cr
    # What may wait for another request comes first.
    cr.flush()
    try:
        with SECOND_CONNECTIONS:
            cr.commit()
    except PoolError:
        # Raised after the commit: the outcome is written, and screens that are open look for it by themselves.
        _logger.warning("no connection was left to tell open screens of an outcome")


def _accepted(endpoint, envelope, outcome, result):
    _logger.info("callback at %s for %s: %s", endpoint, outcome.key, result)
    content = {"status": OK_STATUS.get(endpoint, "ok")}
    if result == "duplicate":
        content["duplicate"] = True
    if result == "kept":
        content["ignored"] = "the request was cancelled"
    if envelope.is_rpc:
        content = {"jsonrpc": "2.0", "id": envelope.rpc_id, "result": content}
    return _answer(content, 200, {})


def _refused(envelope, refusal):
    content = {"status": "error", "error": refusal.reason, "message": refusal.reason}
    if envelope.is_rpc:
        error = {"code": refusal.status, "message": refusal.reason}
        content = {"jsonrpc": "2.0", "id": envelope.rpc_id, "error": error}
    return _answer(content, refusal.status, refusal.headers)


def _answer(content, status, headers):
    # Odoo's make_json_response counts characters for Content-Length, so the text must be ASCII.
    named = {"Content-Type": "application/json; charset=utf-8", **headers}
    return request.make_response(json.dumps(content), headers=list(named.items()), status=status)
