"""Proper HTTP with improper content, to the whole starter: every answer says what is wrong, none is our mistake."""

from __future__ import annotations

import itertools
import tracemalloc

import pytest

from tests.starter.front import Front, event
from tests.starter_hostile.sockets import asked, connected, request

JSON = "Content-Type: application/json"
MIB = bytes(2**20)
EVENT = "/webhook/dialect/event"


@pytest.mark.parametrize("close", ["Connection: close", "Connection: keep-alive"])
@pytest.mark.parametrize("framing", ["Content-Length: 104857600", "Transfer-Encoding: chunked"])
async def test_a_body_of_100_mib_is_refused_and_never_held(front: Front, framing: str, close: str) -> None:
    chunked = framing.startswith("T")
    piece, end = (b"100000\r\n" + MIB + b"\r\n", b"0\r\n\r\n") if chunked else (MIB, b"")
    head = f"POST {EVENT} HTTP/1.1\r\nHost: a\r\n{JSON}\r\n{framing}\r\n{close}\r\n\r\n".encode()
    tracemalloc.start()
    try:
        async with connected(front.url) as connection:
            await connection.send(head, *itertools.repeat(piece, 100), end)
            answer = await connection.hear()
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.status == 413
    assert most < 32 * 2**20


ODD_TARGETS = {
    "/webhook/%ff%fe": 400,
    "/webhook/%C3%28": 400,
    "/webhook/%": 400,
    "/webhook/%00": 404,
    "/webhook/dialect/event%00": 404,
    "/webhook/../../etc/passwd": 404,
    "/webhook/dialect/..%2fevent": 404,
    "/images/%ff": 405,
    "/images/..%2f..%2fetc%2fpasswd": 404,
    "/api/requests/%ff/redrive": 422,
    "/api/requests/%00/cancel": 404,
    "/api/requests/line%0Aend/cancel": 404,
    "/shadow/%ff/callback": 404,
    "/%2e%2e/": 404,
    "*": 404,
    "//": 404,
    f"http://odoo.example{EVENT}%ff": 400,
}


@pytest.mark.parametrize(("target", "status"), ODD_TARGETS.items())
async def test_odd_targets_are_not_found(front: Front, target: str, status: int) -> None:
    assert (await asked(front.url, request(target, b"{}", [JSON]))).status == status


@pytest.mark.parametrize("kind", ["basic", "header", "bearer"])
@pytest.mark.parametrize("value", [b"\xff\xfe", b"\xed\xa0\xbd", b"Basic \xff", b"Bearer \x80", b"Basic ////", b""])
async def test_invalid_utf_8_in_credentials_is_wrong_credentials(front: Front, kind: str, value: bytes) -> None:
    headers = [JSON, f"Authorization: {value.decode('latin-1')}", f"X-Api-Key: {value.decode('latin-1')}"]
    answer = await asked(front.url, request(f"/webhook/auth/{kind}", b"{}", headers))
    assert answer.status in {401, 403}


HEADERS = {
    "content type": "Content-Type: \xff/\xfe; charset=\xed",
    "charset": "Content-Type: application/json; charset=utf-7",
    "no type at all": "Content-Type:",
    "boundary": "Content-Type: multipart/form-data; boundary=\xff",
    "encoding": "Content-Encoding: \xff",
    "origin": "Origin: \xff\xfe",
    "method asked for": "Access-Control-Request-Method: \xff",
    "agent": "User-Agent: \xff\xfe",
    "trace": "traceparent: \xff\xfe",
    "address": "X-Forwarded-For: \xff",
    "known entity": "If-None-Match: \xff",
    "signature": "webhook-signature: \xff",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
async def test_invalid_utf_8_in_any_header_is_borne(front: Front, header: str) -> None:
    for target, method in ((EVENT, "POST"), (EVENT, "OPTIONS"), ("/api/requests/x", "GET"), ("/healthz", "GET")):
        answer = await asked(front.url, request(target, b"{}", [header], method), method)
        assert answer.status in {200, 204, 400, 404, 422}, (target, method)


BODIES = {
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "many keys": b"{" + b",".join(b'"%d":1' % number for number in range(100_000)) + b"}",
    "a number of many digits": b'{"seed":' + b"9" * 10_000 + b"}",
    "a number of a large exponent": b'{"cfgScale": 1e99999}',
    "not a number": b'{"cfgScale": NaN}',
    "half a surrogate pair": b'{"requestId": "\\ud800", "prompt": "\\udfff"}',
    "NUL": b'{"requestId": "a\\u0000b", "prompt": "\\u0000"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"requestId": "r"}'.encode("utf-16"),
    "broken UTF-8": b'{"prompt": "\xff\xfe"}',
    "a key twice": b'{"requestId": "one", "requestId": "two"}',
    "blanks": b" " * 1000,
    "control characters": b'{"prompt": "\x01\x02"}',
}


@pytest.mark.parametrize("sent", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("dialect", ["event", "request", "endpoint"])
async def test_hostile_json_is_acknowledged_or_refused_the_same_way_twice(
    front: Front, dialect: str, sent: bytes
) -> None:
    answers = [await asked(front.url, request(f"/webhook/dialect/{dialect}", sent, [JSON])) for _ in range(2)]
    assert answers[0].status in {200, 413, 422}
    assert (answers[1].status, answers[1].body) == (answers[0].status, answers[0].body)


async def test_an_id_of_any_text_can_be_cancelled_by_its_name(front: Front) -> None:
    request_id = "a/b\nc %ä"
    assert (await front.post("dialect/event", event(requestId=request_id))).status_code == 200
    answer = await front.http.get("/api/requests/a%2Fb%0Ac%20%25%C3%A4")
    assert answer.json()["request_id"] == request_id
    assert (await front.http.post("/api/requests/a%2Fb%0Ac%20%25%C3%A4/cancel")).status_code == 202


async def test_a_caller_that_hangs_up_within_its_body_is_no_error(front: Front) -> None:
    for target in (EVENT, "/api/requests/x/redrive", "/api/listeners", "/shadow/event/callback"):
        async with connected(front.url) as connection:
            await connection.send(request(target, b'{"half": ', [JSON])[:-1])
    assert (await front.http.get("/healthz")).status_code == 200
