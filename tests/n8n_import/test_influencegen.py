"""The recorded export becomes a configuration, and its report says what that changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from operations.n8n_import.findings import Kind
from operations.n8n_import.importing import Imported, import_workflows
from operations.n8n_import.reading import read_export
from operations.n8n_import.report import to_markdown
from runtime.settings import BasicAuth, HeaderAuth
from tests.n8n_import.exports import INFLUENCEGEN, has, loaded, said


@pytest.fixture(scope="module")
def result() -> Imported:
    return import_workflows(read_export(INFLUENCEGEN.read_bytes()))


def test_the_webhook_becomes_a_route(result: Imported, tmp_path: Path) -> None:
    settings = loaded(result, tmp_path)
    ((name, route),) = settings.routes.items()
    assert (name, route.path, route.methods) == (
        "influencegen_ai_image_generate",
        "influencegen/ai-image-generate",
        ("POST",),
    )
    assert (route.dialect, route.respond, route.active) == ("request", "at_once", True)
    assert isinstance(route.auth, BasicAuth)
    assert (route.auth.user, route.auth.password) == ("odoo", "env:ODOO_BASIC_PASSWORD")


def test_the_calls_become_a_service_and_a_callback(result: Imported, tmp_path: Path) -> None:
    settings = loaded(result, tmp_path)
    service = settings.services["ai_image"]
    assert (service.kind, service.base_url) == ("openai", "http://127.0.0.1:9001")
    assert isinstance(service.auth, HeaderAuth)
    assert (service.auth.name, service.auth.secret) == ("Authorization", "env:AI_KEY_VALUE")
    assert (service.retry.attempts, service.retry.initial_s, service.retry.timeout_s) == (3, 2, 120)
    route = settings.routes["influencegen_ai_image_generate"]
    callback = route.callback
    assert (settings.odoos[route.odoo].base_url, callback.path) == ("http://127.0.0.1:9002", "/influencegen/callback")
    assert (callback.retry.initial_s, callback.retry.timeout_s, callback.retry.deadline_s) == (5, 10, 72 * 3600)


def test_an_odoo_that_got_urls_gets_urls(result: Imported, tmp_path: Path) -> None:
    settings = loaded(result, tmp_path)
    assert settings.routes["influencegen_ai_image_generate"].callback.images == "url"
    assert settings.store.signing_key == "env:STORE_SIGNING_KEY"


def test_credentials_are_named_and_no_more(result: Imported) -> None:
    supplied = {supply.variable: supply.credential for supply in result.supplies}
    assert supplied["ODOO_BASIC_PASSWORD"] == "Odoo basic"
    assert supplied["AI_KEY_VALUE"] == "AI key"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Kind.APPROXIMATED, ("Callback Odoo: 5 tries 5 s apart -> 72 h of backoff",)),
        (Kind.APPROXIMATED, ("AI image: 3 tries 2 s apart -> 3 tries",)),
        (Kind.APPROXIMATED, ("AI image", "`/v1/images`", "/v1/images/generations")),
        (Kind.APPROXIMATED, ("Callback failure: `error` no longer carries",)),
        (Kind.MAPPED, ("Callback failure: the callback of a failure",)),
        (Kind.MAPPED, ("Webhook: `/webhook/influencegen/ai-image-generate`",)),
        (Kind.SET_UP, ("alerts", "`errFlow`", "dead letter")),
        (Kind.SET_UP, ("Webhook", "auth.user")),
    ],
)
def test_the_report_says_what_changes(result: Imported, kind: Kind, words: tuple[str, ...]) -> None:
    assert has(said(result, kind), *words)


def test_nothing_is_left_out(result: Imported) -> None:
    assert said(result, Kind.NOT_MAPPED) == []


def test_the_report_is_markdown_with_every_section(result: Imported) -> None:
    text = to_markdown(result, "export.json")
    titles = [line for line in text.splitlines() if line.startswith("#")]
    assert titles == [
        "# Migration report",
        "## Webhooks",
        "## Secrets to supply",
        "## To set up",
        "## Mapped",
        "## Approximated",
        "## Not mapped",
    ]
    assert "From `export.json`: 1 workflow, 1 webhook, 1 route." in text
