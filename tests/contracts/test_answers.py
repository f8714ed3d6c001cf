"""Whether a callback has arrived: status code, envelope and content together (contract 3.7)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from contracts.callbacks import Verdict, read_answer, wrap
from contracts.requests import Envelope

ARRIVED, RETRY, FINAL, UNCLEAR = Verdict.ARRIVED, Verdict.RETRY, Verdict.FINAL, Verdict.UNCLEAR
ENVELOPES: tuple[Envelope, ...] = ("plain", "jsonrpc")

STATUSES = {
    FINAL: (301, 302, 303, 307, 308, 400, 401, 403, 405, 407, 410, 413, 415, 422),
    RETRY: (408, 409, 423, 425, 429, 500, 502, 503, 504, 520, 599),
    UNCLEAR: (404,),
}
BODIES = (b"", b"<html>no</html>", b'{"error": "no"}', b'{"result": {"status": "success"}}', b"\xff\x00", b"[1]")

ARRIVALS: tuple[tuple[Envelope, bytes], ...] = (
    ("plain", b""),
    ("plain", b"OK"),
    ("plain", b"<html></html>"),
    ("plain", b"null"),
    ("plain", b"[]"),
    ("plain", b"{}"),
    ("plain", b'{"status": "ok"}'),
    ("plain", b'{"status": "success", "error": null}'),
    ("plain", b'{"status": "ok", "error": false}'),
    ("plain", b'{"status": 200}'),
    ("plain", b'{"status": "duplicate"}'),
    ("jsonrpc", b'{"jsonrpc": "2.0", "id": 1, "result": {"status": "success"}}'),
    ("jsonrpc", b'{"jsonrpc": "2.0", "id": 1, "result": true}'),
    ("jsonrpc", b'{"jsonrpc": "2.0", "id": 1, "result": null}'),
    ("jsonrpc", b'{"jsonrpc": "2.0", "id": 1, "result": {}, "error": null}'),
    ("jsonrpc", b'{"result": [1, 2]}'),
)


def _odoo_error(name: str, message: str = "no", code: int = 200) -> JsonValue:
    data: JsonValue = {"name": name, "message": message, "debug": "Traceback with made-up-secret"}
    return {"code": code, "message": "Odoo Server Error", "data": data}


ERRORS: tuple[tuple[JsonValue, Verdict], ...] = (
    (_odoo_error("odoo.exceptions.AccessDenied"), FINAL),
    (_odoo_error("odoo.exceptions.AccessError"), FINAL),
    (_odoo_error("odoo.exceptions.ValidationError"), FINAL),
    (_odoo_error("odoo.exceptions.UserError"), FINAL),
    (_odoo_error("odoo.http.SessionExpiredException", code=100), FINAL),
    (_odoo_error("werkzeug.exceptions.BadRequest"), FINAL),
    (_odoo_error("werkzeug.exceptions.Unauthorized"), FINAL),
    (_odoo_error("werkzeug.exceptions.Forbidden"), FINAL),
    (_odoo_error("psycopg2.errors.SerializationFailure"), RETRY),
    (_odoo_error("psycopg2.errors.DeadlockDetected"), RETRY),
    (_odoo_error("psycopg2.errors.LockNotAvailable"), RETRY),
    (_odoo_error("psycopg2.errors.AdminShutdown"), RETRY),
    (_odoo_error("psycopg2.OperationalError"), RETRY),
    (_odoo_error("psycopg2.pool.PoolError"), RETRY),
    (_odoo_error("odoo.exceptions.LockError"), RETRY),
    (_odoo_error("odoo.exceptions.ConcurrencyError"), RETRY),
    (_odoo_error("odoo.exceptions.MissingError"), UNCLEAR),
    (_odoo_error("werkzeug.exceptions.NotFound", code=404), UNCLEAR),
    (_odoo_error("builtins.KeyError"), UNCLEAR),
    ({"code": 401, "message": "who are you"}, FINAL),
    ({"code": 422, "message": "no"}, FINAL),
    ({"code": 429, "message": "slowly"}, RETRY),
    ({"code": 503, "message": "later"}, RETRY),
    ({"code": 404, "message": "404: Not Found"}, UNCLEAR),
    ({"code": -32602, "message": "Invalid params"}, UNCLEAR),
    ({"name": "odoo.exceptions.AccessDenied", "message": "no"}, FINAL),
    ({"message": "no"}, UNCLEAR),
    ({"data": None, "message": None}, UNCLEAR),
    ("invalid signature", UNCLEAR),
    (["a", "list"], UNCLEAR),
    (17, UNCLEAR),
)


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("body", BODIES)
def test_outside_2xx_the_status_decides(envelope: Envelope, body: bytes) -> None:
    for verdict, statuses in STATUSES.items():
        for status in statuses:
            answer = read_answer(status, body, envelope)
            assert (status, answer.verdict) == (status, verdict)
            assert answer.reason.startswith(f"HTTP {status}")


@pytest.mark.parametrize(("envelope", "body"), ARRIVALS)
@pytest.mark.parametrize("status", [200, 201, 202, 299])
def test_arrived(status: int, envelope: Envelope, body: bytes) -> None:
    answer = read_answer(status, body, envelope)
    assert (answer.verdict, answer.reason) == (ARRIVED, "")


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize(("error", "verdict"), ERRORS)
def test_an_error_inside_200_is_judged_by_its_name_or_code(
    envelope: Envelope, error: JsonValue, verdict: Verdict
) -> None:
    for content in ({"jsonrpc": "2.0", "error": error}, {"result": {"error": error}}, {"error": error, "result": True}):
        answer = read_answer(200, json.dumps(content).encode(), envelope)
        assert answer.verdict is verdict
        assert answer.reason.startswith("error inside HTTP 2xx")
        assert "made-up-secret" not in answer.reason


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("status", ["error", "ERROR", "failure", "failed"])
@pytest.mark.parametrize("nested", [True, False])
def test_a_status_of_error_inside_200_is_unclear(envelope: Envelope, status: str, *, nested: bool) -> None:
    content: JsonValue = {"status": status, "message": "Request not found"}
    body = json.dumps({"jsonrpc": "2.0", "result": content} if nested else content).encode()
    answer = read_answer(200, body, envelope)
    assert answer.verdict is UNCLEAR
    assert answer.reason == f'status "{status}" inside HTTP 2xx: Request not found'


@pytest.mark.parametrize(
    "body", [b"", b"OK", b"<html>login</html>", b"null", b"[]", b"{}", b'{"status": "ok"}', b"\xff"]
)
def test_jsonrpc_without_a_result_is_unclear(body: bytes) -> None:
    answer = read_answer(200, body, "jsonrpc")
    assert answer.verdict is UNCLEAR
    assert "JSON-RPC" in answer.reason


def test_reasons_are_short() -> None:
    long = "x" * 5_000
    for content in ({"error": {"message": long}}, {"error": long}, {"status": "error", "message": long}):
        for status in (200, 500):
            assert len(read_answer(status, json.dumps(content).encode(), "plain").reason) < 300


def test_too_deep_an_answer_is_no_crash() -> None:
    assert read_answer(200, b"[" * 100_000, "jsonrpc").verdict is UNCLEAR
    assert read_answer(500, b"[" * 100_000, "plain").verdict is RETRY


@settings(deadline=None, max_examples=100)
@given(st.integers(100, 999), st.binary(max_size=60), st.sampled_from(ENVELOPES))
def test_every_answer_has_one_verdict_and_a_reason_unless_it_arrived(
    status: int, body: bytes, envelope: Envelope
) -> None:
    answer = read_answer(status, body, envelope)
    assert (answer.verdict is ARRIVED) == (answer.reason == "")
    assert answer.verdict is not ARRIVED or 200 <= status < 300


def test_plain_is_sent_as_it_is() -> None:
    body: dict[str, JsonValue] = {"status": "completed"}
    wrapped = wrap(body, "plain", "fake-1:0")
    assert wrapped == body
    assert wrapped is not body


def test_jsonrpc_wraps_the_body_under_an_id_made_of_the_key() -> None:
    body: dict[str, JsonValue] = {"status": "completed"}
    wrapped = wrap(body, "jsonrpc", "fake-1:0")
    rpc_id = wrapped["id"]
    assert wrapped == {"jsonrpc": "2.0", "method": "call", "id": rpc_id, "params": body}
    assert isinstance(rpc_id, int)
    assert 0 <= rpc_id < 2**32
    assert wrap({}, "jsonrpc", "fake-1:0")["id"] == rpc_id
    assert wrap(body, "jsonrpc", "fake-1:1")["id"] != rpc_id
