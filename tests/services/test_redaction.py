from __future__ import annotations

import pytest

from activities.services.redaction import scrub, secrets_in


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("wrong key: hunter2!", "wrong key: [secret]"),
        ("Incorrect API key provided: sk-abc***wxyz.", "Incorrect API key provided: [secret]"),
        ("header was Bearer abc.def-ghi", "header was [secret]"),
        ("authorization: basic dXNlcjpwYXNz", "authorization: [secret]"),
        ("Key 1f0c-22:9a8b7c6d is revoked", "[secret] is revoked"),
        ("api_key=0123456789&x=1", "[secret]&x=1"),
        ('{"password": "opensesame"}', '{"[secret]"}'),
        ("https://user:pass@host/x", "https://[secret]@host/x"),
        ("token r8_0123456789abcdef", "token [secret]"),
        ("the key provided was not accepted", "the key provided was not accepted"),
        ("a task-specific risk-free sketch", "a task-specific risk-free sketch"),
    ],
)
def test_scrub(text: str, shown: str) -> None:
    assert scrub(text, ("hunter2!", "")) == shown


def test_the_longer_secret_goes_first() -> None:
    assert scrub("abcdef", ("abc", "abcdef")) == "[secret]"


def test_secrets_in_headers() -> None:
    assert secrets_in({"Authorization": "Bearer abc"}) == ("Bearer abc", "abc")
    assert secrets_in({"X-Key": "abc"}) == ("abc", "abc")
    assert "pass:word" in secrets_in({"Authorization": "Basic dXNlcjpwYXNzOndvcmQ="})
    assert secrets_in({}) == ()
