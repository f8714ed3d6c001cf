"""What a Webhook node says, in each spelling, and what its silence means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from operations.n8n_import.findings import Kind
from operations.n8n_import.importing import Imported
from runtime.settings import HeaderAuth, JwtAuth, NoAuth, RouteSettings
from tests.n8n_import.exports import call_back, draw, flow, has, imported, node, only_route, said, webhook


def with_webhook(parameters: dict[str, Any], **settings: Any) -> Imported:
    return imported(flow(webhook(parameters, **settings), draw(), call_back()))


def read(directory: Path, parameters: dict[str, Any], **settings: Any) -> RouteSettings:
    return only_route(with_webhook(parameters, **settings), directory)


def test_silence_has_a_meaning(tmp_path: Path) -> None:
    bare = node("Webhook", "webhook", {"path": "x"})
    route = only_route(imported(flow(bare, draw(), call_back())), tmp_path)
    assert (route.methods, route.respond, route.auth, route.active) == (("GET",), "at_once", NoAuth(), True)
    assert (route.cors_origins, route.allowed_ips, route.ignore_bots) == (("*",), (), False)


@pytest.mark.parametrize(
    ("parameters", "methods"),
    [
        ({"httpMethod": "PUT"}, ("PUT",)),
        ({"httpMethod": None, "method": "POST"}, ("POST",)),
        ({"httpMethod": "post"}, ("POST",)),
        ({"httpMethod": ["POST", "PATCH"], "multipleMethods": True}, ("POST", "PATCH")),
        ({"httpMethod": None, "multipleMethods": True}, ("GET", "POST")),
        ({"httpMethod": ["POST", "BREW"]}, ("POST",)),
    ],
)
def test_methods(tmp_path: Path, parameters: dict[str, Any], methods: tuple[str, ...]) -> None:
    assert read(tmp_path, parameters).methods == methods


@pytest.mark.parametrize(
    ("stated", "path"),
    [
        ("a/b", "a/b"),
        ("/a/b/", "a/b"),
        ("/webhook/a/b", "a/b"),
        ("webhook/a", "a"),
        ("/webhook-test/a", "a"),
        ("Webhooks/a", "Webhooks/a"),
    ],
)
def test_paths(tmp_path: Path, stated: str, path: str) -> None:
    assert read(tmp_path, {"path": stated}).path == path


def test_without_a_path_the_id_is_the_path(tmp_path: Path) -> None:
    assert read(tmp_path, {"path": ""}, webhookId="3491e840-0001").path == "3491e840-0001"


def test_path_parameters_bring_the_id_along(tmp_path: Path) -> None:
    assert read(tmp_path, {"path": "a/:id"}, webhookId="wh-1").webhook_id == "wh-1"


@pytest.mark.parametrize("path", ["={{ $env.P }}", "a b", "", "a?b", "//#"])
def test_what_is_no_path_is_no_route(path: str) -> None:
    result = with_webhook({"path": path})
    assert result.routes == ()
    assert has(said(result, Kind.NOT_MAPPED), "Webhook: the path", "no route")


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ({"allowedOrigins": "https://a.example, https://b.example"}, "cors_origins"),
        ({"ipWhitelist": "10.0.0.1, 192.168.7.0/24"}, "allowed_ips"),
        ({"ignoreBots": True}, "ignore_bots"),
    ],
)
def test_options(tmp_path: Path, options: dict[str, Any], changed: str) -> None:
    expected = {
        "cors_origins": ("https://a.example", "https://b.example"),
        "allowed_ips": ("10.0.0.1", "192.168.7.0/24"),
        "ignore_bots": True,
    }
    assert getattr(read(tmp_path, {"options": options}), changed) == expected[changed]


@pytest.mark.parametrize("listed", ["={{ $env.IPS }}", "10.0.0.1, nowhere", ["x"], {"a": 1}])
def test_an_ip_list_that_cannot_be_read_keeps_everybody_out(tmp_path: Path, listed: object) -> None:
    result = with_webhook({"options": {"ipWhitelist": listed}})
    assert not only_route(result, tmp_path).active
    assert has(said(result, Kind.NOT_MAPPED), "Webhook: the IP list", "off")


@pytest.mark.parametrize("kind", ["n8nOAuth2", "somethingNew"])
def test_authentication_that_is_not_supported_keeps_everybody_out(tmp_path: Path, kind: str) -> None:
    result = with_webhook({"authentication": kind})
    assert not only_route(result, tmp_path).active
    assert has(said(result, Kind.NOT_MAPPED), f"Webhook: authentication `{kind}` is not supported")


def test_header_and_jwt_authentication(tmp_path: Path) -> None:
    header = read(
        tmp_path, {"authentication": "headerAuth"}, credentials={"httpHeaderAuth": {"id": "1", "name": "In key"}}
    )
    assert isinstance(header.auth, HeaderAuth)
    assert header.auth.secret == "env:IN_KEY_VALUE"
    jwt = read(tmp_path, {"authentication": "jwtAuth"}, credentials={"jwtAuth": {"id": "2", "name": "Tokens"}})
    assert isinstance(jwt.auth, JwtAuth)
    assert jwt.auth.secret == "env:TOKENS_SECRET"


def test_a_credential_that_is_not_chosen_is_said() -> None:
    result = with_webhook({"authentication": "basicAuth"})
    assert has(said(result, Kind.NOT_MAPPED), "Webhook: no credential is chosen")
    assert [supply.variable for supply in result.supplies] == ["WEBHOOK_PASSWORD"]


@pytest.mark.parametrize(
    "workflow",
    [
        flow(active=False),
        flow(isArchived=True),
        flow(webhook(disabled=True), draw(), call_back()),
    ],
    ids=["inactive", "archived", "disabled"],
)
def test_what_n8n_does_not_answer_is_off(tmp_path: Path, workflow: dict[str, Any]) -> None:
    result = imported(workflow)
    assert not only_route(result, tmp_path).active
    assert said(result, Kind.NOT_MAPPED)


def test_of_two_with_one_path_the_active_one_is_taken(tmp_path: Path) -> None:
    result = imported(flow(name="Old", active=False), flow(name="New"))
    assert only_route(result, tmp_path).active
    assert has(said(result, Kind.NOT_MAPPED), "Webhook: routes.new has the same path")


def test_a_webhook_without_a_body_is_said() -> None:
    assert has(said(with_webhook({"httpMethod": "GET"}), Kind.APPROXIMATED), "Webhook: GET and HEAD have no body")
    assert not has(said(with_webhook({}), Kind.APPROXIMATED), "have no body")


def test_unknown_options_are_reported() -> None:
    result = with_webhook({"options": {"onlyRunIf": "={{ $json.body.x }}"}})
    assert has(said(result, Kind.NOT_MAPPED), "Webhook: option `onlyRunIf`")


@pytest.mark.parametrize(
    ("parameters", "status", "data"),
    [
        ({"responseCode": 202}, 202, None),
        ({"options": {"responseCode": 201}}, 201, None),
        ({"options": {"responseCode": {"values": {"responseCode": 204}}}}, 204, None),
        ({"options": {"responseCode": {"values": {"responseCode": "customCode", "customCode": 207}}}}, 207, None),
        ({"options": {"responseCode": 200, "responseData": "queued"}}, None, "queued"),
        ({"options": {"responseCode": "={{ 1 }}"}}, None, None),
        ({"options": {"responseCode": 99}}, None, None),
        ({"options": {"responseData": "={{ $json.body.x }}"}}, None, None),
    ],
)
def test_fixed_answers(tmp_path: Path, parameters: dict[str, Any], status: int | None, data: str | None) -> None:
    response = read(tmp_path, parameters).response
    assert (response.status, response.data) == (status, data)


def test_response_headers_and_no_body(tmp_path: Path) -> None:
    entries = [{"name": "X-Flow", "value": "a"}, {"name": "X: Y", "value": "b"}, {"name": "X-B", "value": "a\r\nX: y"}]
    options = {"responseHeaders": {"entries": entries}, "noResponseBody": True}
    response = read(tmp_path, {"options": options}).response
    assert (response.headers, response.no_body) == ({"X-Flow": "a"}, True)


def test_the_last_nodes_answer_is_waited_for(tmp_path: Path) -> None:
    result = with_webhook({"responseMode": "lastNode"})
    assert only_route(result, tmp_path).respond == "when_finished"
    assert has(said(result, Kind.APPROXIMATED), "Webhook: n8n answered with what its last node had")


@pytest.mark.parametrize(
    ("chain", "respond"),
    [("Webhook > Ack > Draw > Callback", "at_once"), ("Webhook > Draw > Callback > Ack", "when_finished")],
)
def test_a_respond_node_answers_where_it_stands(tmp_path: Path, chain: str, respond: str) -> None:
    ack = node("Ack", "respondToWebhook", {"respondWith": "json", "responseBody": '{"ok": true}'})
    result = imported(flow(webhook({"responseMode": "responseNode"}), ack, draw(), call_back(), chains=(chain,)))
    route = only_route(result, tmp_path)
    assert route.respond == respond
    assert route.response.data == ('{"ok": true}' if respond == "at_once" else None)
    assert route.response.headers == ({"Content-Type": "application/json"} if respond == "at_once" else {})
