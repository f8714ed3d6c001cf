"""Settings of routes whose requests are records of an Odoo: what belongs together, and the page that shows it."""

from __future__ import annotations

import copy
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from runtime.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "odoo-without-addon.md"
_TOML = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def shown() -> dict[str, Any]:
    """The configuration of the page."""
    found = _TOML.search(PAGE.read_text(encoding="utf-8"))
    assert found is not None
    return tomllib.loads(found[1])


def changed(path: str, value: Any) -> dict[str, Any]:
    tree = copy.deepcopy(shown())
    *outer, name = path.split(".")
    section = tree
    for part in outer:
        section = section[part]
    if value is None:
        del section[name]
    else:
        section[name] = value
    return tree


def problems(tree: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(tree)
    return str(caught.value)


def test_the_configuration_of_the_page_is_valid() -> None:
    settings = Settings.model_validate(shown())
    record = settings.routes["partner"].record
    assert record is not None
    assert record.fields.names() == {"prompt": "x_prompt", "resolution": "x_resolution", "user_id": "write_uid"}


def test_json2_needs_no_user_and_takes_an_odoo_below_a_path() -> None:
    tree = changed("odoos.stock.rpc", {"kind": "json2", "secret": "env:KEY"})
    tree["odoos"]["stock"]["base_url"] = "https://example.com/odoo"
    Settings.model_validate(tree)


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("odoos.stock.rpc", None, "odoos.stock.rpc: is required and missing: routes.partner reads and writes records"),
        ("odoos.stock.rpc.user", None, "user is required for kind odoorpc"),
        ("odoos.stock.base_url", "https://a.example/odoo", "base_url: must have no path for rpc.kind odoorpc"),
        ("routes.partner.record", None, "routes.partner.record: is required and missing"),
        ("routes.partner.dialect", "event", "routes.partner.record: only dialect odoo_action has it; remove it"),
        ("routes.partner.record.write_back", {}, "name at least one target"),
        ("routes.partner.record.write_back", {"chatter": False}, "name at least one target"),
        ("routes.partner.record.write_back", {"url": "x_url"}, "write_back.url: needs a store.signing_key"),
        ("routes.partner.record.fields", {"model": "x_model"}, "Field required"),
        ("routes.partner.record.fields.prompt", "x prompt", "should match pattern"),
        ("routes.partner.record.models", ["Contact"], "must be the technical name of a model, as res.partner"),
    ],
)
def test_what_does_not_fit_has_its_line(path: str, value: Any, line: str) -> None:
    assert line in problems(changed(path, value))


@pytest.mark.parametrize(("callback", "line"), [(None, "callback: is"), ({"images": "inline"}, "callback.path: is")])
def test_every_other_dialect_needs_a_callback_path(callback: dict[str, str] | None, line: str) -> None:
    tree = changed("routes.partner.record", None)
    tree["routes"]["partner"] |= {"dialect": "event", **({"callback": callback} if callback else {})}
    assert f"routes.partner.{line} required and missing" in problems(tree)
