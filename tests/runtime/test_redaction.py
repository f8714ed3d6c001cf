"""What is hidden in text and fields, and what is left alone."""

from __future__ import annotations

import json

import pytest

from runtime.redaction import redact, redact_text, register_secret


@pytest.mark.parametrize("name", ["idempotency_key", "request_id", "route", "keys", "design", "author"])
def test_other_fields_are_not(name: str) -> None:
    assert redact({name: "x"}) == {name: "x"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "GET /images/ab?expires=5&signature=0a1b2c HTTP/1.1",
            "GET /images/ab?expires=5&signature=[redacted] HTTP/1.1",
        ),
        ("https://user:pw@odoo.example/web", "https://[redacted]@odoo.example/web"),
        ("Authorization: Bearer abcdefghijklmnop123", "Authorization: Bearer [redacted]"),
        ("{'api_key': 'abc', 'a': 1}", "{'api_key': '[redacted]', 'a': 1}"),
        ("POST /done?access_token=abc&b=1", "POST /done?access_token=[redacted]&b=1"),
        ("the secret env:NAME is missing or empty", "the secret env:NAME is missing or empty"),
        ("basic authentication failed", "basic authentication failed"),
        ("mail a@b.example", "mail a@b.example"),
    ],
)
def test_what_looks_like_a_secret_in_text_is_hidden(text: str, shown: str) -> None:
    assert redact_text(text) == shown


def test_short_values_do_not_tear_words_apart() -> None:
    register_secret("or")
    assert redact_text("a word or two") == "a word or two"


def test_of_overlapping_secrets_nothing_remains() -> None:
    register_secret("overlap-one")
    register_secret("overlap-one-and-more")
    assert redact_text("x overlap-one-and-more y") == "x [redacted] y"


def test_the_oldest_of_many_secrets_is_forgotten_and_can_return() -> None:
    for number in range(300):
        register_secret(f"numbered-secret-{number:03}")
    assert redact_text("numbered-secret-299 numbered-secret-044") == "[redacted] [redacted]"
    assert redact_text("numbered-secret-000") == "numbered-secret-000"
    register_secret("numbered-secret-000")
    assert redact_text("numbered-secret-000") == "[redacted]"


def test_endless_nesting_ends() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert json.dumps(redact(endless)).count("[") < 20
