"""Which dialect a webhook speaks, by the names in its workflow; and when nobody can tell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import JsonValue

from contracts.dialects import CALLBACK_DIALECTS, DIALECTS
from contracts.requests import RequestReference
from operations.local.callback_routes import CALLBACK_ROUTES
from operations.n8n_import.dialect_marks import MARKS
from operations.n8n_import.findings import Kind
from operations.n8n_import.importing import Imported
from tests.contracts.documented import FACTS, FAILURE, INLINE, ONE
from tests.contracts.examples import EXAMPLES
from tests.n8n_import.exports import call_back, draw, flow, has, imported, node, only_route, said, webhook


def success(dialect: str) -> dict[str, JsonValue]:
    reference = RequestReference(request_id="r-1", dialect=dialect, correlation_id="c-1")
    return DIALECTS[dialect].render_success(reference, ONE, INLINE[:1], FACTS)


def failure(dialect: str) -> dict[str, JsonValue]:
    reference = RequestReference(request_id="r-1", dialect=dialect, correlation_id="c-1")
    return DIALECTS[dialect].render_failure(reference, FAILURE, FACTS)


def with_fields(asked: list[str], body: dict[str, JsonValue] | str) -> Imported:
    listed = [{"name": name, "value": f"={{{{ $('Webhook').item.json.body.{name} }}}}"} for name in asked]
    sent = body if isinstance(body, str) else json.dumps(body)
    drawing = draw({"jsonBody": "", "bodyParameters": {"parameters": listed}})
    url = "https://odoo.example/done"
    return imported(flow(webhook(), drawing, call_back({"jsonBody": sent, "url": url})))


@pytest.mark.parametrize("dialect", CALLBACK_DIALECTS)
def test_every_dialect_is_recognised_by_its_documented_fields(dialect: str, tmp_path: Path) -> None:
    result = with_fields(list(EXAMPLES[dialect]["full"]), success(dialect))
    (route,) = result.routes
    assert (route.guess.dialect, route.guess.rivals) == (dialect, ())
    assert route.guess.reasons
    assert only_route(result, tmp_path).dialect == dialect


@pytest.mark.parametrize("dialect", CALLBACK_DIALECTS)
def test_the_callback_alone_is_enough(dialect: str) -> None:
    (route,) = with_fields([], success(dialect)).routes
    assert route.guess.dialect == dialect


@pytest.mark.parametrize("dialect", CALLBACK_DIALECTS)
def test_the_marks_are_what_the_dialects_say(dialect: str) -> None:
    in_all, custom = {"prompt", "resolution", "seed"}, {"lora", "sampler"}
    assert MARKS[dialect].asked >= EXAMPLES[dialect]["full"].keys() - in_all - custom
    assert MARKS[dialect].sent >= success(dialect).keys() | failure(dialect).keys()
    (local,) = (route for route in CALLBACK_ROUTES if route.dialect == dialect)
    assert MARKS[dialect].callback_path == local.path


def test_code_and_branches_give_evidence_too() -> None:
    code = node("Code", "code", {"jsCode": "const p = items[0].json.body.ai_generation_request_id"})
    result = imported(
        flow(
            webhook(),
            code,
            draw(),
            call_back({"jsonBody": "={{ $json }}", "url": "https://x.example/cb"}),
            chains=("Webhook > Code > Draw > Callback",),
        )
    )
    (route,) = result.routes
    assert (route.guess.dialect, route.guess.rivals) == ("endpoint", ())
    assert has(said(result, Kind.NOT_MAPPED), "Code: code is not taken over")


def test_where_nothing_speaks_for_any_it_asks(tmp_path: Path) -> None:
    result = with_fields([], "={{ $json }}")
    (route,) = result.routes
    assert (route.guess.dialect, route.guess.rivals) == ("event", ("correlation", "request", "adapter", "endpoint"))
    assert has(said(result, Kind.SET_UP), "Webhook: routes.flow: dialect event, but it may as well be", "Which does")
    assert only_route(result, tmp_path).dialect == "event"
    assert "# CHECK: dialect event" in (tmp_path / "imported.toml").read_text()


def test_a_close_race_is_said() -> None:
    (route,) = with_fields(["request_id", "user_id"], "={{ $json.b }}").routes
    assert set(route.guess.rivals) | {route.guess.dialect} >= {"request", "adapter"}


@pytest.mark.parametrize(
    ("body", "envelope"),
    [
        ({"jsonrpc": "2.0", "method": "call", "params": success("request")}, "jsonrpc"),
        (success("request"), None),
        (success("adapter"), "plain"),
        ({"jsonrpc": "2.0", "method": "call", "params": success("adapter")}, None),
    ],
    ids=["wrapped", "plain", "unwrapped", "usual"],
)
def test_the_envelope(body: dict[str, JsonValue], envelope: str | None, tmp_path: Path) -> None:
    assert only_route(with_fields([], body), tmp_path).callback.envelope == envelope


@pytest.mark.parametrize(
    ("sent", "images"),
    [
        ({"request_id": "1", "status": "completed", "image_url": "u"}, "url"),
        ({"request_id": "1", "status": "completed", "image_url": "u", "image_data": "d"}, "inline"),
        ({"request_id": "1", "status": "success", "images": [{"image_url": "u"}]}, "url"),
    ],
)
def test_how_images_travel(sent: dict[str, JsonValue], images: str, tmp_path: Path) -> None:
    assert only_route(with_fields([], sent), tmp_path).callback.images == images


def test_the_own_token_of_dialect_endpoint_is_a_reference(tmp_path: Path) -> None:
    body = '={{ { ai_generation_request_id: "1", security_token: $env.ODOO_TOKEN, result_payload: {} } }}'
    assert only_route(with_fields([], body), tmp_path).callback.security_token == "env:ODOO_TOKEN"
    echoed = '={{ { ai_generation_request_id: "1", security_token: $json.body.security_token } }}'
    result = with_fields([], echoed)
    assert only_route(result, tmp_path).callback.security_token == "env:CALLBACK_SECURITY_TOKEN_TOKEN"
    assert has(said(result, Kind.SET_UP), "Callback: env:CALLBACK_SECURITY_TOKEN_TOKEN")


def test_fields_that_a_dialect_does_not_send_are_reported() -> None:
    body = '={{ { request_id: "1", status: "completed", image_url: $json.u, mood: $json.m } }}'
    assert has(said(with_fields([], body), Kind.NOT_MAPPED), "Callback: callback field `mood`")
