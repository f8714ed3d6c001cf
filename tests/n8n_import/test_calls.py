"""HTTP Request nodes: times, addresses, credentials, bodies, in old and new spelling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from operations.n8n_import.findings import Kind
from operations.n8n_import.importing import Imported
from operations.n8n_import.report import to_markdown
from operations.n8n_import.toml_document import to_toml
from runtime.settings import BearerAuth, HeaderAuth, NoAuth
from tests.n8n_import.exports import (
    call_back,
    draw,
    flow,
    has,
    imported,
    loaded,
    node,
    only_route,
    only_service,
    said,
    webhook,
)


def drawn(parameters: dict[str, Any] | None = None, **settings: Any) -> Imported:
    return imported(flow(webhook(), draw(parameters, **settings), call_back()))


def called_back(parameters: dict[str, Any] | None = None, **settings: Any) -> Imported:
    return imported(flow(webhook(), draw(), call_back(parameters, **settings)))


@pytest.mark.parametrize(
    ("on_node", "options", "attempts", "initial_s"),
    [
        ({}, {}, 6, 5),
        ({"retryOnFail": True}, {}, 3, 1),
        ({"retryOnFail": True, "maxTries": 4, "waitBetweenTries": 2500}, {}, 4, 2.5),
        ({"retryOnFail": True, "maxTries": 9, "waitBetweenTries": 60_000}, {}, 5, 5),
        ({"retryOnFail": True, "maxTries": 1}, {}, 2, 1),
        ({"retryOnFail": False, "maxTries": 4}, {}, 6, 5),
        ({"retryOnFail": True, "maxTries": "={{ 4 }}"}, {}, 3, 1),
        ({}, {"retryCount": 3, "retryInterval": 60_000}, 4, 60),
        ({}, {"retryOnFail": True, "retryCount": 2}, 3, 1),
        ({"retryOnFail": True}, {"retryCount": 2, "retryInterval": 3000}, 3, 3),
        ({}, {"retryCount": 0}, 6, 5),
    ],
)
def test_tries(
    tmp_path: Path, on_node: dict[str, Any], options: dict[str, Any], attempts: int, initial_s: float
) -> None:
    retry = only_service(drawn({"options": options}, **on_node), tmp_path).retry
    assert (retry.attempts, retry.initial_s) == (attempts, initial_s)


def test_a_count_that_is_an_expression_is_reported() -> None:
    lines = said(drawn(retryOnFail=True, maxTries="={{ 4 }}"), Kind.NOT_MAPPED)
    assert has(lines, "Draw: `maxTries` is no number")


@pytest.mark.parametrize(
    ("timeout", "timeout_s"),
    [(None, 300), (120_000, 120), (0, 300), (10**9, 3600), (1, 0.1), ("60000", 60), ("={{ 1 }}", 300)],
)
def test_time_outs(tmp_path: Path, timeout: object, timeout_s: float) -> None:
    options = {} if timeout is None else {"timeout": timeout}
    assert only_service(drawn({"options": options}), tmp_path).retry.timeout_s == timeout_s


def test_a_long_time_out_gives_the_worker_as_much(tmp_path: Path) -> None:
    assert loaded(drawn({"options": {"timeout": 400_000}}), tmp_path).worker.shutdown_grace_s == 420
    assert loaded(drawn({"options": {"timeout": 60_000}}), tmp_path).worker.shutdown_grace_s == 200


@pytest.mark.parametrize(
    ("call", "kind", "base_url", "words"),
    [
        (("https://x.example/v1/images/generations", "{}"), "openai", "https://x.example/v1", "ends in /images"),
        (("https://x.example/generate", "{}"), "flux_lora", "https://x.example", "ends in /generate"),
        (("https://x.example/api/generate/", "{}"), "openai", "https://x.example", "neither URL nor body"),
        (("https://x.example/flux/run", "{}"), "flux_lora", "https://x.example", "names Flux"),
        (("https://x.example/draw", '{"text_prompt": "a"}'), "flux_lora", "https://x.example", "`text_prompt`"),
        (("https://x.example/draw", '{"size": "a", "n": 1}'), "openai", "https://x.example", "`n`, `size`"),
        (("https://[::1]:90/generate?key=abc", "{}"), "flux_lora", "http", "/generate"),
    ],
)
def test_which_service_it_is(tmp_path: Path, call: tuple[str, str], kind: str, base_url: str, words: str) -> None:
    result = drawn({"url": call[0], "jsonBody": call[1]})
    service = only_service(result, tmp_path)
    assert service.kind == kind
    assert service.base_url.startswith(base_url)
    assert has([*said(result, Kind.MAPPED), *said(result, Kind.APPROXIMATED)], "Draw", words)


def test_fields_of_a_flux_service_are_followed(tmp_path: Path) -> None:
    pairs = {
        "prompt": "={{ $json.subject }}",
        "avoid": "={{ $('Webhook').item.json.body.negative_prompt }}",
        "seed": '={{ $node["Webhook"].json.body.seed }}',
        "model": "flux-dev",
        "clever": "={{ $json.subject.trim() }}",
        "fixed": "7",
    }
    assigned = {"assignments": {"assignments": [{"name": "subject", "value": "={{ $json.body.prompt }}"}]}}
    parameters = {"name": "x", "bodyParameters": {"parameters": [{"name": k, "value": v} for k, v in pairs.items()]}}
    result = imported(
        flow(
            webhook(),
            node("Prepare", "set", assigned),
            draw({**parameters, "jsonBody": ""}),
            call_back(),
            chains=("Webhook > Prepare > Draw > Callback",),
        )
    )
    service = only_service(result, tmp_path)
    assert (service.fields, service.model) == ({"text_prompt": "prompt", "neg_prompt": "avoid"}, "flux-dev")
    left_out = said(result, Kind.NOT_MAPPED)
    assert has(left_out, "Draw: body field `clever`", "cannot be read")
    assert has(left_out, "Draw: body field `fixed`", "constant")


@pytest.mark.parametrize(
    ("url", "base_url", "path"),
    [
        ("https://odoo.example/cb", "https://odoo.example", "/cb"),
        ("https://user:pw@odoo.example:8069/cb/?token=abc#x", "https://odoo.example:8069", "/cb/"),
        ("={{ $env.ODOO }}/cb", "https://set-me.invalid", "/cb"),
        ('={{ $env.ODOO + "/cb" }}', "https://set-me.invalid", "/cb"),
        ("={{ $env.ODOO }}{{ $env.PATH }}", "https://set-me.invalid", "/api/influencegen/ai_image_callback"),
        ("=https://odoo.example/cb?id={{ $json.id }}", "https://odoo.example", "/cb"),
        ("=https://odoo.example/cb/{{ $json.id }}", "https://odoo.example", "/api/influencegen/ai_image_callback"),
        ("=https://{{ $env.HOST }}/cb/callback", "https://set-me.invalid", "/api/influencegen/ai_image_callback"),
        ("={{ $json.url.trim() }}/odoo", "https://set-me.invalid", "/api/influencegen/ai_image_callback"),
        ("ftp://odoo.example/cb", "https://set-me.invalid", "/api/influencegen/ai_image_callback"),
    ],
)
def test_addresses(tmp_path: Path, url: str, base_url: str, path: str) -> None:
    result = called_back({"url": url})
    settings = loaded(result, tmp_path)
    assert [odoo.base_url for odoo in settings.odoos.values()] == [base_url]
    assert [route.callback.path for route in settings.routes.values()] == [path]
    missing = "set-me.invalid" in base_url
    assert has(said(result, Kind.SET_UP), "Callback", "base_url", "set-me.invalid") is missing
    assert "token=abc" not in to_toml(result) + to_markdown(result, "x")


def test_a_callback_url_from_the_request(tmp_path: Path) -> None:
    body = '={{ { requestId: $json.body.requestId, correlationId: "c", imageUrl: $json.url, imageData: 1 } }}'
    url = "={{ $('Webhook').item.json.body.callbackUrl }}"
    result = called_back({"url": url, "jsonBody": body})
    assert only_route(result, tmp_path).dialect == "event"
    assert has(said(result, Kind.APPROXIMATED), "Callback", "`callbackUrl`", "allowed_origins")


def test_generic_and_predefined_credentials(tmp_path: Path) -> None:
    bearer = drawn(
        {"authentication": "genericCredentialType", "genericAuthType": "httpBearerAuth"},
        credentials={"httpBearerAuth": {"id": "1", "name": "Flux"}},
    )
    openai = drawn(
        {"authentication": "predefinedCredentialType", "nodeCredentialType": "openAiApi"},
        credentials={"openAiApi": {"id": "1", "name": "OpenAI"}},
    )
    for result, reference in ((bearer, "env:FLUX_TOKEN"), (openai, "env:OPENAI_TOKEN")):
        auth = only_service(result, tmp_path).auth
        assert isinstance(auth, BearerAuth)
        assert auth.secret == reference


def test_the_old_spelling_of_a_credential(tmp_path: Path) -> None:
    result = drawn(
        {"authentication": "headerAuth", "requestMethod": "POST"}, credentials={"httpHeaderAuth": "Flux key"}
    )
    auth = only_service(result, tmp_path).auth
    assert isinstance(auth, HeaderAuth)
    assert auth.secret == "env:FLUX_KEY_VALUE"


@pytest.mark.parametrize("kind", ["oAuth2", "httpDigestAuth"])
def test_a_credential_that_is_not_supported_is_said(tmp_path: Path, kind: str) -> None:
    result = drawn({"authentication": "genericCredentialType", "genericAuthType": kind})
    assert only_service(result, tmp_path).auth == NoAuth()
    assert has(said(result, Kind.NOT_MAPPED), f"Draw: authentication `{kind}` is not supported")


@pytest.mark.parametrize(
    ("name", "value", "kind", "reference"),
    [
        ("X-Api-Key", "={{ $env.ODOO_KEY }}", "header", "env:ODOO_KEY"),
        ("Authorization", "=Bearer {{ $env.ODOO_KEY }}", "bearer", "env:ODOO_KEY"),
        ("X-Api-Key", "sk-very-secret-value", "header", "env:CALLBACK_X_API_KEY_TOKEN"),
        ("Authorization", "Bearer sk-very-secret-value", "header", "env:CALLBACK_AUTHORIZATION_TOKEN"),
        ("X-Api-Key", "={{ $json.key }}", "header", "env:CALLBACK_X_API_KEY_TOKEN"),
    ],
)
def test_secrets_in_headers_are_referred_to_and_never_copied(
    tmp_path: Path, name: str, value: str, kind: str, reference: str
) -> None:
    listed = [{"name": "Content-Type", "value": "application/json"}, {"name": name, "value": value}]
    result = called_back({"sendHeaders": True, "headerParameters": {"parameters": listed}})
    auth = only_route(result, tmp_path).callback.auth
    assert isinstance(auth, HeaderAuth | BearerAuth)
    assert (auth.kind, auth.secret) == (kind, reference)
    assert "sk-very-secret-value" not in to_toml(result) + to_markdown(result, "x")


def test_other_headers_are_reported() -> None:
    listed = [{"name": "X-Tenant", "value": "acme"}]
    result = called_back({"headerParameters": {"parameters": listed}})
    assert has(said(result, Kind.NOT_MAPPED), "Callback: header `X-Tenant` is not sent")


def test_one_credential_is_one_secret(tmp_path: Path) -> None:
    shared = {"httpBearerAuth": {"id": "1", "name": "Shared"}}
    parameters = {"authentication": "genericCredentialType", "genericAuthType": "httpBearerAuth"}
    result = imported(flow(webhook(), draw(parameters, credentials=shared), call_back(parameters, credentials=shared)))
    (supply,) = result.supplies
    assert set(supply.used_by) == {"routes.flow.callback.auth.secret", "services.draw.auth.secret"}
    assert loaded(result, tmp_path).services


def test_credentials_whose_names_look_alike_stay_apart() -> None:
    parameters = {"authentication": "genericCredentialType", "genericAuthType": "httpBearerAuth"}
    names = ("Key #1", "Key  (1)")
    one, other = (draw(parameters, credentials={"httpBearerAuth": {"name": name}}) for name in names)
    result = imported(flow(webhook(), one, call_back()), flow(webhook({"path": "b"}), other, call_back(), name="Other"))
    assert [supply.variable for supply in result.supplies] == ["KEY_1_TOKEN", "KEY_1_TOKEN_2"]


def test_a_private_service_may_send_private_image_urls(tmp_path: Path) -> None:
    assert only_service(drawn({"url": "http://10.0.0.5:9000/generate"}), tmp_path).allow_private_hosts
    assert not only_service(drawn(), tmp_path).allow_private_hosts


@pytest.mark.parametrize(
    ("parameters", "settings", "kind", "words"),
    [
        ({"options": {"allowUnauthorizedCerts": True}}, {}, Kind.NOT_MAPPED, "`allowUnauthorizedCerts`"),
        (
            {"queryParameters": {"parameters": [{"name": "key", "value": "x"}]}},
            {},
            Kind.NOT_MAPPED,
            "`queryParameters`",
        ),
        ({"contentType": "form-urlencoded"}, {}, Kind.APPROXIMATED, "`form-urlencoded`, we send JSON"),
        ({"method": "PUT"}, {}, Kind.APPROXIMATED, "`PUT`, we send POST"),
        ({}, {"onError": "continueRegularOutput"}, Kind.APPROXIMATED, "as if all were well"),
        ({}, {"continueOnFail": True}, Kind.APPROXIMATED, "as if all were well"),
    ],
)
def test_what_else_a_call_says(parameters: dict[str, Any], settings: dict[str, Any], kind: Kind, words: str) -> None:
    assert has(said(drawn(parameters, **settings), kind), "Draw:", words)
    assert has(said(called_back(parameters, **settings), kind), "Callback:", words)


def test_addresses_that_are_not_known_are_never_one_odoo(tmp_path: Path) -> None:
    one, other = (call_back({"url": f"={{{{ $env.ODOO_{name} }}}}/cb/callback"}) for name in "AB")
    settings = loaded(imported(flow(webhook(), draw(), one), flow(webhook({"path": "b"}), draw(), other)), tmp_path)
    assert [route.odoo for route in settings.routes.values()] == ["odoo", "odoo_2"]


def test_a_variable_and_a_credential_of_one_name_stay_apart() -> None:
    drawing = draw({"authentication": "headerAuth"}, credentials={"httpHeaderAuth": {"name": "Key"}})
    listed = [{"name": "X-Api-Key", "value": "={{ $env.KEY_VALUE }}"}]
    result = imported(flow(webhook(), drawing, call_back({"headerParameters": {"parameters": listed}})))
    assert sorted(supply.variable for supply in result.supplies) == ["KEY_VALUE", "KEY_VALUE_2"]
