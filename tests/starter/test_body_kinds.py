"""Bodies are read by their Content-Type, as n8n reads them."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from typing import Any

import pytest
from pydantic import JsonValue

from starter.wire.body_kinds import Kind, content_type, read_fields
from starter.wire.refusals import RefusedError
from tests.starter.front import JSON, Front, event, fresh_id, raw, started_input

FORM = "application/x-www-form-urlencoded"
PARTS = 'multipart/form-data; boundary="b"'
ENTITIES = b'<!DOCTYPE a [<!ENTITY x "' + b"y" * 100 + b'">]><a>&x;</a>'


def part(name: str, content: bytes, more: str = "") -> bytes:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + content + b"\r\n"


async def read(body: bytes, header: str) -> dict[str, JsonValue]:
    return dict(await read_fields(body, content_type(header)))


async def hint(body: bytes, header: str) -> str:
    with pytest.raises(RefusedError) as refused:
        await read(body, header)
    assert refused.value.answer.status_code == 422
    told: str = json.loads(bytes(refused.value.answer.body))["hint"]
    return told


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("application/json", Kind.JSON),
        ("Application/JSON; charset=utf-8", Kind.JSON),
        ("application/x-www-form-urlencoded;charset=utf-8", Kind.FORM),
        ("multipart/form-data; boundary=b", Kind.MULTIPART),
        ("text/xml", Kind.XML),
        ("application/atom+xml; type=entry", Kind.XML),
        ("text/plain", Kind.TEXT),
        ("", Kind.UNDECLARED),
        ("application/octet-stream", Kind.OTHER),
        ("application/json-patch", Kind.OTHER),
        ("text/html", Kind.OTHER),
        (";;;", Kind.UNDECLARED),
    ],
)
def test_every_content_type_has_a_kind(header: str, kind: Kind) -> None:
    assert content_type(header).kind is kind


@pytest.mark.parametrize(
    ("body", "header", "fields"),
    [
        (b'{"a": "\xc3\xbc"}', "application/json", {"a": "\u00fc"}),
        (b'{"a": "\xff"}', "application/json", {"a": "\ufffd"}),
        (b'{"a": "\xfc"}', "application/json; charset=latin1", {"a": "\u00fc"}),
        (b'{"a": "\xfc"}', 'application/json; charset="BINARY"', {"a": "\u00fc"}),
        ('{"a": "\u00fc"}'.encode("utf-16-le"), "application/json; charset=utf-16le", {"a": "\u00fc"}),
        *((body, "application/json", {}) for body in (b"", b"null", b"false", b"0", b'""', b"[]", b"{}")),
        (b'["a"]', "application/json", {"body": ["a"]}),
        (b"true", "application/json", {"body": True}),
        (b"a=1&b=x+y%20z&a=2&c&&=d&e=%zz", FORM, {"a": ["1", "2"], "b": "x y z", "c": "", "": "d", "e": "%zz"}),
        (b"prompt=\xc3\xbc%C3%BC&a=1&a=2&a=3", FORM, {"prompt": "\u00fc\u00fc", "a": ["1", "2", "3"]}),
        (b"  ", FORM, {"  ": ""}),
        (part("a", b"1") + part("b", b"x") + part("a", b"2") + b"--b--\r\n", PARTS, {"a": ["1", "2"], "b": "x"}),
        (part("f", b"\x00\xff", '; filename="f.png"') + part("a", b"1") + b"--b--\r\n", PARTS, {"a": "1"}),
        (b"a red fox", "text/plain", {"body": "a red fox"}),
        (b'{"a": 1}', "text/plain", {"body": '{"a": 1}'}),
        (b'{"a": 1}', "", {"a": 1}),
        (b"a red fox", "", {}),
        (b"\x89PNG", "image/png", {}),
        (
            b'<A x="1"> t\n u <B>2</B><b>3</b><c/></A>',
            "text/xml",
            {"a": {"$": {"x": "1"}, "b": ["2", "3"], "c": "", "_": "t u"}},
        ),
        (b"\xef\xbb\xbf<a>&lt;&#252;</a>", "application/xml", {"a": "<\u00fc"}),
        (b" \n", "application/xml", {}),
    ],
)
async def test_a_body_has_the_fields_that_n8n_sees(body: bytes, header: str, fields: dict[str, Any]) -> None:
    assert await read(body, header) == fields


async def test_a_form_has_a_thousand_fields_at_most() -> None:
    assert len(await read(b"&".join(f"f{n}=1".encode() for n in range(2000)), FORM)) == 1000


@pytest.mark.parametrize(
    ("body", "header", "told"),
    [
        (b"   ", "application/json", "Unexpected end of JSON input"),
        (b"{}", "application/json; charset=iso-8859-1", "Unknown encoding: iso-8859-1"),
        (b"a", "text/plain; charset=utf-7", "Unknown encoding: utf-7"),
        (b"nope", "text/xml", "Non-whitespace before first tag.\nLine: 0\nColumn: 1\nChar: n"),
        (b"<a>\n<b></a>", "text/xml", "Unexpected close tag\nLine: 1\nColumn: 7\nChar: >"),
        (b"<a><b></b>", "text/xml", "Unclosed root tag\nLine: 0\nColumn: 10\nChar: "),
        (ENTITIES, "text/xml", "The body declares entities, which are not read"),
        (b"<a>" * 200, "text/xml", "The body is nested more than 100 levels deep"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_the_reason(body: bytes, header: str, told: str) -> None:
    assert await hint(body, header) == told


@pytest.mark.parametrize(
    ("body", "header"),
    [
        (b"x", "multipart/form-data"),
        (b"no boundary in here", PARTS),
        (part("a", b"1")[: -len("\r\n")], "multipart/form-data; boundary=other"),
        (b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n", PARTS),
    ],
    ids=["no-boundary", "no-part", "another-boundary", "no-name"],
)
async def test_broken_parts_are_400(front: Front, body: bytes, header: str) -> None:
    answer = await front.post_bytes("dialect/event", body, {"Content-Type": header})
    assert (answer.status_code, answer.json()["message"]) == (400, "The submitted form data could not be parsed.")


@pytest.mark.parametrize("kind", ["form", "parts", "gzip", "deflate"])
async def test_every_way_of_sending_is_the_same_request(front: Front, kind: str) -> None:
    request_id = fresh_id()
    fields = {"requestId": request_id, "correlationId": "c-1", "prompt": "a red fox"}
    text = json.dumps(fields).encode()
    match kind:
        case "form":
            answer = await front.http.post("/webhook/dialect/event", data=fields)
        case "parts":
            answer = await front.http.post("/webhook/dialect/event", data=fields, files={"image": b"\x00"})
        case "gzip":
            answer = await front.post_bytes("dialect/event", gzip.compress(text), {**JSON, "Content-Encoding": "gzip"})
        case _:
            packed = zlib.compress(text)
            answer = await front.post_bytes("dialect/event", packed, {**JSON, "Content-Encoding": "deflate"})
    assert answer.status_code == 200
    order = await started_input(front.workflow("event", request_id))
    assert order.request is not None
    assert order.request.prompt == "a red fox"


async def test_a_list_is_acknowledged_and_ends_rejected(front: Front) -> None:
    answer = await front.post("dialect/adapter", ["a red fox"])
    assert (answer.status_code, answer.json()) == (200, {"message": "Workflow was started"})


@pytest.mark.parametrize(
    ("packed", "encoding", "status", "told"),
    [
        (gzip.compress(b"x" * (2**21 + 1)), "gzip", 413, "The request body is larger than 2097152 bytes."),
        (gzip.compress(b" " * 2**28), "gzip", 413, "The request body is larger than 2097152 bytes."),
        (b"{}", "gzip", 422, "incorrect header check"),
        (gzip.compress(b"{}")[:-4], "gzip", 422, "unexpected end of file"),
        (b"\x1b", "br", 422, "Unexpected token '\x1b', \"\x1b\" is not valid JSON"),
    ],
    ids=["just-too-large", "bomb", "not-packed", "cut-off", "unknown"],
)
async def test_packed_bodies_are_bounded_and_checked(
    front: Front, packed: bytes, encoding: str, status: int, told: str
) -> None:
    answer = await front.post_bytes("dialect/event", packed, {**JSON, "Content-Encoding": encoding})
    assert answer.status_code == status
    assert told in (answer.json()["message"], answer.json().get("hint"))


async def test_a_file_as_body_is_not_limited_like_others_but_limited(front: Front) -> None:
    limit = front.settings.starter.body_limit
    head = "POST /webhook/dialect/event HTTP/1.1\nContent-Type: application/octet-stream"
    taken, refused = await asyncio.gather(
        raw(front.url, head, b"x" * (2 * limit)), raw(front.url, head, b"x" * (16 * limit + 1))
    )
    assert (taken.status, refused.status) == (200, 413)


async def test_the_order_of_checks_is_route_body_caller_credentials(front: Front) -> None:
    body = json.dumps(event()).encode()
    answers = [
        await front.post_bytes("no/such", b"{", JSON),
        await front.post_bytes("elsewhere", b"{", JSON),
        await front.post_bytes("elsewhere", body, JSON),
        await front.post_bytes("rotated", body, JSON),
    ]
    assert [answer.status_code for answer in answers] == [404, 422, 403, 401]
