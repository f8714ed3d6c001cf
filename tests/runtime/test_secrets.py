"""References to secrets, and what resolving one says when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from runtime.redaction import redact_text
from runtime.secrets import SecretMissingError, SecretRef, is_reference, resolve, resolve_any

REFERENCE = TypeAdapter[str](SecretRef)


@pytest.mark.parametrize("text", ["env:NAME", "env:_n1", "file:/run/secrets/x", "file:relative/path with blanks"])
def test_references_are_accepted(text: str) -> None:
    assert REFERENCE.validate_python(text) == text
    assert is_reference(text)


@pytest.mark.parametrize(
    "text",
    ["", "env:", "file:", "NAME", "vault:x", "sk-live-4eC39HqLyjW", "env:sk-live-4eC39HqLyjW", "env:1A", "file:/a\nb"],
)
def test_what_may_be_a_secret_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        REFERENCE.validate_python(text)
    told = refused.value.errors(include_input=False)[0]["msg"]
    assert told.startswith("Value error, must be a reference, env:NAME or file:/path")
    assert not text or text.partition(":")[2] == "" or text not in told


def test_a_variable_is_resolved_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SECRET", " with blanks ")
    assert resolve("env:SOME_SECRET") == " with blanks "


def test_a_file_is_resolved_without_its_last_line_end(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-a-file\n")
    assert resolve(f"file:{tmp_path / 'key'}") == "from-a-file"


def test_a_rotated_secret_is_seen_at_once(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("first-value")
    assert resolve(f"file:{key}") == "first-value"
    key.write_text("second-value")
    assert resolve(f"file:{key}") == "second-value"


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_variable_is_named(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME_SECRET", raising=False)
    if value is not None:
        monkeypatch.setenv("SOME_SECRET", value)
    with pytest.raises(SecretMissingError, match=r"^the secret env:SOME_SECRET is missing or empty: set that env"):
        resolve("env:SOME_SECRET")


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
def test_a_file_without_a_secret_is_named(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SecretMissingError) as missing:
        resolve(f"file:{path}")
    assert str(missing.value) == f"the secret file:{path} is missing or empty: create that file"


def test_a_directory_is_no_secret(tmp_path: Path) -> None:
    with pytest.raises(SecretMissingError):
        resolve(f"file:{tmp_path}")


def test_a_resolved_secret_is_hidden_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SECRET", "correct horse battery")
    resolve("env:SOME_SECRET")
    assert redact_text("got correct horse battery back") == "got [redacted] back"


def test_any_of_several_that_is_there_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SECRET", "old-value")
    absent = f"file:{tmp_path}/absent"
    assert resolve_any("env:SOME_SECRET") == ("old-value",)
    assert resolve_any((absent, "env:SOME_SECRET")) == ("old-value",)
    with pytest.raises(SecretMissingError, match="absent is missing"):
        resolve_any((absent, "env:NOT_THERE"))
