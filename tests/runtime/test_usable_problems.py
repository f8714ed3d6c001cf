"""What valid settings may lack and a process may not, above all secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.configuration import missing_secrets, secret_references, usable_problems
from runtime.settings import Settings
from tests.runtime.configurations import BASE, changed


def usable(tree: dict[str, Any], tmp_path: Path) -> list[str]:
    return usable_problems(Settings.model_validate({"store": {"path": tmp_path / "new" / "images"}, **tree}))


def test_a_complete_configuration_is_usable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_KEY", "webhook-key")
    monkeypatch.setenv("LONG_KEY", "0123456789abcdef")
    tree = changed("store", {"path": tmp_path, "signing_key": "env:LONG_KEY"})
    assert usable_problems(Settings.model_validate(tree)) == []
    assert usable(BASE, tmp_path) == []


def test_no_routes_is_valid_and_unusable(tmp_path: Path) -> None:
    (line,) = usable({}, tmp_path)
    assert line.startswith("routes: none is configured; add a [routes.NAME]")


def test_a_missing_secret_is_told_by_its_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEBHOOK_KEY", raising=False)
    wanted = "routes.event.auth.secret: the secret env:WEBHOOK_KEY is missing or empty: set that environment variable"
    assert missing_secrets(Settings.model_validate(BASE)) == [wanted]
    assert usable(BASE, tmp_path) == [wanted]


@pytest.mark.parametrize("signing_key", ["env:SHORT_KEY", ["env:LONG_KEY", "env:SHORT_KEY"]])
def test_a_short_signing_key_is_told(
    signing_key: str | list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_KEY", "webhook-key")
    monkeypatch.setenv("SHORT_KEY", "0123456789abcde")
    monkeypatch.setenv("LONG_KEY", "0123456789abcdef")
    store = {"path": tmp_path, "signing_key": signing_key}
    (line,) = usable_problems(Settings.model_validate(changed("store", store)))
    assert line.startswith("store.signing_key: the key at env:SHORT_KEY has fewer than 16 characters; make one with:")
    assert "0123456789abcde" not in line


def test_a_missing_signing_key_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_KEY", "webhook-key")
    store = {"path": tmp_path, "signing_key": f"file:{tmp_path}/absent"}
    (line,) = usable_problems(Settings.model_validate(changed("store", store)))
    assert line == f"store.signing_key: the secret file:{tmp_path}/absent is missing or empty: create that file"


def test_a_store_below_a_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_KEY", "webhook-key")
    occupied = tmp_path / "occupied"
    occupied.write_text("")
    store = {"path": occupied / "images"}
    (line,) = usable_problems(Settings.model_validate(changed("store", store)))
    wanted = (
        f"store.path: {store['path']} cannot be written ({occupied}); give this user write access or choose another"
    )
    assert line == wanted


def test_every_reference_is_found_and_nothing_else() -> None:
    tree = changed("services.flux.fields", {"secret": "body_field"})
    tree["services"]["flux"]["auth"] = {"kind": "basic", "user": "odoo", "password": "file:/run/p"}
    tree["store"] = {"signing_key": "env:KEY"}
    found = dict(secret_references(Settings.model_validate(tree).model_dump()))
    assert found == {
        "routes.event.auth.secret": "env:WEBHOOK_KEY",
        "services.flux.auth.password": "file:/run/p",
        "store.signing_key": "env:KEY",
    }


def test_each_of_several_references_is_found() -> None:
    tree = changed("routes.event.auth.secret", ["env:NEW", "file:/run/old"])
    assert list(secret_references(Settings.model_validate(tree).model_dump())) == [
        ("routes.event.auth.secret", "env:NEW"),
        ("routes.event.auth.secret", "file:/run/old"),
    ]
