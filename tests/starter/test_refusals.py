from __future__ import annotations

import base64
import json

import pytest
from pydantic import JsonValue
from temporalio.service import RPCError

from starter.intake.callback_origins import origin
from tests.starter.front import ALLOWED, JSON, ODOO, SECRET, Front, event, raw

NOT_ACTIVE = (
    "The workflow must be active for a production URL to run successfully. You can activate the workflow using the "
    "toggle in the top-right of the editor. Note that unlike test URL calls, production URL calls aren't shown on "
    "the canvas (only in the executions list)"
)
WIRE_SECRET = SECRET.encode().decode("latin-1")


def basic(credentials: str) -> str:
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"


@pytest.mark.parametrize(
    "target",
    [
        "/webhook/dialect/event",
        "/webhook/dialect/event/",
        "/WebHook/dialect/event",
        "/webhook/dialect%2Fevent",
        "/webhook/dialect/%65vent?x=1",
        "http://odoo.example/webhook/dialect/event",
    ],
)
async def test_a_path_is_found_as_n8n_finds_it(front: Front, target: str) -> None:
    answer = await raw(front.url, f"POST {target} HTTP/1.1", json.dumps(event()).encode())
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["vary"] == "Accept-Encoding"


async def test_a_path_stored_with_slashes_and_capitals_is_found_as_it_stands(front: Front) -> None:
    found = await raw(front.url, "PUT /webhook/Cased/path HTTP/1.1", json.dumps(event()).encode())
    missed = await raw(front.url, "PUT /webhook/cased/path HTTP/1.1", json.dumps(event()).encode())
    assert (found.status, missed.status) == (200, 404)


@pytest.mark.parametrize(
    "path", ["no/such/path", "dialect//event", "dialect/event/extra", "Dialect/event", "/dialect/event"]
)
async def test_an_unknown_path_is_answered_as_n8n_does_before_anything_else(front: Front, path: str) -> None:
    answer = await raw(front.url, f"POST /webhook/{path} HTTP/1.1", b'{"a": ')
    message = f'The requested webhook "POST {path}" is not registered.'
    assert answer.status == 404
    assert json.loads(answer.body) == {"code": 404, "message": message, "hint": NOT_ACTIVE}


async def test_the_recorded_bytes_of_an_unknown_path(front: Front) -> None:
    answer = await raw(front.url, "POST /webhook/no/such/path HTTP/1.1")
    assert answer.headers["etag"] == 'W/"164-k8gRQckLR9vM5iK/kSDEK2tlkW8"'


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_a_wrong_method_is_told_the_right_one(front: Front, method: str) -> None:
    answer = await raw(front.url, f"{method} /webhook/dialect/event HTTP/1.1")
    message = f"This webhook is not registered for {method} requests. Did you mean to make a POST request?"
    assert (answer.status, json.loads(answer.body)) == (404, {"code": 404, "message": message})


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        ("/webhook", 404, "Cannot POST /webhook"),
        ("/webhook/", 404, "Cannot POST /webhook/"),
        ("/<b>", 404, "Cannot POST /&lt;b&gt;"),
        ("/webhook/c/%ZZ", 400, "Bad Request"),
        ("/webhook/c/%FF", 400, "Bad Request"),
    ],
)
async def test_what_is_no_webhook_gets_a_page(front: Front, target: str, status: int, text: str) -> None:
    answer = await raw(front.url, f"POST {target} HTTP/1.1")
    assert (answer.status, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert f"<pre>{text}</pre>" in answer.body.decode()


async def test_a_test_url_is_never_registered(front: Front) -> None:
    answer = await front.http.post("/webhook-test/dialect/event", json=event())
    assert answer.status_code == 404
    assert answer.json()["message"] == 'The requested webhook "dialect/event" is not registered.'
    assert answer.json()["hint"].startswith("Click the 'Execute workflow' button")


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (b'{"a": ', "Unexpected end of JSON input"),
        (b"   ", "Unexpected end of JSON input"),
        (b"nope", "Unexpected token 'o', \"nope\" is not valid JSON"),
        (b'{"a": 1,}', "Expected double-quoted property name in JSON at position 8 (line 1 column 9)"),
        (b"{'a': 1}", "Expected property name or '}' in JSON at position 1 (line 1 column 2)"),
        (b'{"a": [1 2]}', "Expected ',' or ']' after array element in JSON at position 9 (line 1 column 10)"),
        (b'{"a": "\n"}', "Bad control character in string literal in JSON at position 7 (line 1 column 8)"),
        (b'{"a": "b', "Unterminated string in JSON at position 8 (line 1 column 9)"),
        (b'{"a": "\\x"}', "Bad escaped character in JSON at position 8 (line 1 column 9)"),
        (b'{"a": 1} x', "Unexpected non-whitespace character after JSON at position 9 (line 1 column 10)"),
        (b'{"aaaaaaaaaaaaaaaaaaaaa":x}', 'Unexpected token \'x\', ..."aaaaaaaa":x}" is not valid JSON'),
        (b"-", "No number after minus sign in JSON at position 1 (line 1 column 2)"),
        (b'{"a": 01}', "Unexpected number in JSON at position 7 (line 1 column 8)"),
        (b"[1.]", "Unterminated fractional number in JSON at position 3 (line 1 column 4)"),
        (b"1e+", "Exponent part is missing a number in JSON at position 3 (line 1 column 4)"),
        (b'{"a1": 1 "b": 2}', "Expected ',' or '}' after property value in JSON at position 9 (line 1 column 10)"),
        (b'{"a": NaN}', 'Unexpected token \'N\', "{"a": NaN}" is not valid JSON'),
        (b'{"NaN": -Infinity}', "No number after minus sign in JSON at position 9 (line 1 column 10)"),
        (b'\xef\xbb\xbf{"a": 1}', 'Unexpected token \'\ufeff\', "\ufeff{"a": 1}" is not valid JSON'),
        (b"[" * 100_000, "The body is nested more than 100 levels deep"),
        (b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}", "The body is nested more than 100 levels deep"),
    ],
)
async def test_a_body_that_is_no_json_is_refused_with_the_reason(front: Front, body: bytes, hint: str) -> None:
    answer = await front.post_bytes("dialect/event", body, JSON)
    assert answer.status_code == 422
    assert answer.json() == {"code": 422, "message": "Failed to parse request body", "hint": hint}


async def test_the_recorded_bytes_of_a_broken_body(front: Front) -> None:
    answer = await front.post_bytes("dialect/event", b'{"a": ', JSON)
    assert answer.headers["etag"] == 'W/"5b-5OkXQU7EoobAMujDihVN8h90rCI"'


async def test_many_shallow_brackets_are_fine(front: Front) -> None:
    assert (await front.post("dialect/event", event(ignored=[[] for _ in range(500)]))).status_code == 200


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("event", event(prompt="\ud83e")),
        ("adapter", {"request_id": "r-1", "prompt": "p", "custom_params": {"deep": ["\ud83e"]}}),
        ("request", {"request_id": "r-2", "prompt": "p", "\ud83e": 1}),
        ("endpoint", {"ai_generation_request_id": "\ud83e", "params": {}}),
    ],
)
async def test_text_that_cannot_be_stored_never_crashes_the_intake(front: Front, dialect: str, body: JsonValue) -> None:
    assert (await front.post(f"dialect/{dialect}", body)).status_code == 200


@pytest.mark.parametrize(
    ("filler", "status"),
    [
        ({"ignored": "x" * 1_000_000}, 200),
        ({"prompt": "x" * 250_000}, 200),
        ({"prompt": "x" * 262_144}, 413),
        ({"ignored": "x" * 2**21}, 413),
    ],
    ids=["ignored-fields-do-not-count", "large", "too-large-content", "too-large-body"],
)
async def test_sizes(front: Front, filler: dict[str, JsonValue], status: int) -> None:
    answer = await front.post("dialect/event", event(**filler))
    assert answer.status_code == status
    assert status == 200 or answer.json()["code"] == 413


@pytest.mark.parametrize(
    ("kind", "headers", "status", "text"),
    [
        ("basic", {}, 401, "Authorization is required!"),
        ("basic", {"Authorization": "Basic !!!"}, 401, "Authorization is required!"),
        ("basic", {"Authorization": basic("nocolon")}, 401, "Authorization is required!"),
        ("basic", {"Authorization": basic(f"nope:{SECRET}")}, 401, "Authentication data is wrong!"),
        ("basic", {"Authorization": basic("odoo:x")}, 401, "Authentication data is wrong!"),
        ("basic", {"Authorization": basic(f"odoo:{SECRET}")}, 200, ""),
        ("basic", {"Authorization": basic(f"odoo:{SECRET}").replace("Basic", "bAsIc").rstrip("=")}, 200, ""),
        ("header", {}, 403, "Authorization data is wrong!"),
        ("header", {"X-Api-Key": "x"}, 403, "Authorization data is wrong!"),
        ("header", {"x-api-key": WIRE_SECRET}, 200, ""),
        ("bearer", {}, 403, "Authorization data is wrong!"),
        ("bearer", {"Authorization": WIRE_SECRET}, 403, "Authorization data is wrong!"),
        ("bearer", {"Authorization": "Bearer x"}, 403, "Authorization data is wrong!"),
        ("bearer", {"Authorization": f"bearer {WIRE_SECRET}"}, 200, ""),
    ],
)
async def test_credentials(front: Front, kind: str, headers: dict[str, str], status: int, text: str) -> None:
    lines = "".join(f"\n{name}: {value}" for name, value in headers.items())
    answer = await raw(front.url, f"POST /webhook/auth/{kind} HTTP/1.1{lines}", json.dumps(event()).encode())
    assert answer.status == status
    if status != 200:
        assert answer.body.decode() == text
        assert answer.headers["www-authenticate"] == 'Basic realm="Webhook"'
        assert answer.headers["transfer-encoding"] == "chunked"
        assert "content-type" not in answer.headers


@pytest.mark.parametrize("kind", ["basic", "header", "bearer"])
async def test_credentials_that_are_given_twice_are_refused(front: Front, kind: str) -> None:
    values = {"basic": basic(f"odoo:{SECRET}"), "header": WIRE_SECRET, "bearer": f"Bearer {WIRE_SECRET}"}
    line = f"\n{'X-Api-Key' if kind == 'header' else 'Authorization'}: {values[kind]}"
    answer = await raw(front.url, f"POST /webhook/auth/{kind} HTTP/1.1{line}{line}", json.dumps(event()).encode())
    assert answer.status in (401, 403)


@pytest.mark.parametrize("kind", ["basic", "header", "bearer"])
async def test_a_webhook_without_its_credentials_is_not_registered(front: Front, kind: str) -> None:
    headers = {"Authorization": basic("odoo:")} if kind == "basic" else {"X-Api-Key": ""}
    answer = await front.post(f"lost/{kind}", event(), headers)
    message = f'The requested webhook "POST lost/{kind}" is not registered.'
    assert (answer.status_code, answer.json()["message"]) == (404, message)


async def test_a_broken_body_is_told_before_missing_credentials_and_those_before_a_wrong_shape(front: Front) -> None:
    broken = await front.post_bytes("auth/basic", b'{"a": ', JSON)
    shape = await front.post_bytes("auth/basic", b"[]", JSON)
    assert (broken.status_code, shape.status_code) == (422, 401)


@pytest.mark.parametrize(
    ("url", "status"),
    [
        (f"{ODOO}/anything?x=1", 200),
        (f"{ODOO}:443/x", 200),
        ("HTTPS://ODOO.EXAMPLE/x", 200),
        (f"{ALLOWED}/x", 200),
        ("http://odoo.example/x", 422),
        (f"{ODOO}:8069/x", 422),
        ("https://odoo.example.evil.example/x", 422),
        ("https://odoo.example@evil.example/x", 422),
        ("https://user:pw@odoo.example/x", 422),
        ("https://evil.example\\@odoo.example/x", 422),
        ("https://odoo.example\n.evil.example/x", 422),
        ("//odoo.example/x", 422),
        ("/callback", 422),
        ("ftp://odoo.example/x", 422),
        ("https://odoo.example:99999/x", 422),
        ("https://[::1/x", 422),
    ],
)
async def test_a_callback_goes_to_allowed_origins_only(front: Front, url: str, status: int) -> None:
    body = event(callbackUrl=url)
    answer = await front.post("dialect/event", body)
    assert answer.status_code == status
    if status == 422:
        assert answer.json()["message"].startswith("The callback URL")
        with pytest.raises(RPCError, match="not found"):
            await front.workflow("event", str(body["requestId"])).describe()


def test_an_origin_is_scheme_host_and_port() -> None:
    assert origin("http://Odoo.Example/a") == ("http", "odoo.example", 80)
    assert origin("http://[::1]:8069/a") == ("http", "::1", 8069)
