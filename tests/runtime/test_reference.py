"""The reference page and the example say what the settings are."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.dialects import CALLBACK_DIALECTS, DIALECTS
from runtime.configuration import load_settings, secret_references
from runtime.environment import environment_problems, variable_name
from runtime.reference import EXAMPLE, reference
from runtime.settings import NoAuth
from runtime.settings_schema import Node, free_value, is_composite, keys, root

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def scalars(path: str, node: Node) -> list[str]:
    """Every key that is no section."""
    value = free_value(node)
    if value is not None and is_composite(value):
        return scalars(f"{path}.NAME", value)
    below = [leaf for name, key in keys(node).items() for leaf in scalars(f"{path}.{name}".lstrip("."), key)]
    return below or [path]


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == reference(), "run: python -m runtime.reference > docs/configuration.md"


@pytest.mark.parametrize("path", [path for path in scalars("", root()) if ".auth." not in path])
def test_every_key_stands_on_the_page(path: str) -> None:
    section, _, key = path.rpartition(".")
    assert f"## `[{section}]`" in reference()
    (row,) = [line for line in reference().splitlines() if f"<br>`{variable_name(path)}`" in line]
    assert row.startswith(f"| `{key}`<br>")


@pytest.mark.parametrize("kind", ["none", "basic", "header", "bearer", "jwt", "signature"])
def test_every_kind_of_authentication_stands_there_once(kind: str) -> None:
    assert reference().count(f'### `kind = "{kind}"`') == 1


def test_rows_have_four_cells() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| ")]
    assert len(rows) > 50
    assert {line.replace(r"\|", "").count("|") for line in rows} == {5}


@pytest.mark.parametrize(
    "row",
    [
        "| `port`<br>`ORCHESTRATOR__STARTER__PORT` | whole number, at least 0, at most 65535 | `5678` | Port to",
        "| `database`<br>`ORCHESTRATOR__ODOOS__NAME__DATABASE` | text, not empty, at most 255 characters | required |",
        "| `park_s`<br>`ORCHESTRATOR__ROUTES__NAME__PARK_S` | number, more than 0, at most 31536000 | `2592000` | Sec",
        "| `signing_key`<br>`ORCHESTRATOR__STORE__SIGNING_KEY` | secret reference, or list of them | not set | ",
        "| `secret_access_key`<br>`ORCHESTRATOR__STORE__SECRET_ACCESS_KEY` | secret reference | not set | s3: ",
        '| `auth`<br>`ORCHESTRATOR__ROUTES__NAME__AUTH` | section, see [Authentication](#authentication) | `"none"` |',
        '| `path`<br>`ORCHESTRATOR__STORE__PATH` | path | `"var/images"` |',
        '| `images`<br>`ORCHESTRATOR__ROUTES__NAME__CALLBACK__IMAGES` | `"inline"` or `"url"` | `"inline"` |',
        "| `fields`<br>`ORCHESTRATOR__SERVICES__NAME__FIELDS` | table: name = text | none |",
        "| `allowed_origins`<br>`ORCHESTRATOR__ROUTES__NAME__CALLBACK__ALLOWED_ORIGINS` | list of: origin, as",
    ],
)
def test_rows_in_plain_words(row: str) -> None:
    assert any(line.startswith(row) for line in reference().splitlines())


def test_variables_on_the_page_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in scalars("", root()):
        monkeypatch.setenv(variable_name(path), "")
    assert [line for line in environment_problems() if "unknown setting" in line] == []


def test_the_example_is_valid_and_shows_every_dialect() -> None:
    settings = load_settings(EXAMPLE)
    assert {route.dialect for route in settings.routes.values()} == set(DIALECTS)
    assert {service.kind for service in settings.services.values()} == {"flux_lora", "openai"}


def test_the_example_protects_every_route_and_shares_no_secret() -> None:
    settings = load_settings(EXAMPLE)
    assert [name for name, route in settings.routes.items() if isinstance(route.auth, NoAuth)] == []
    references = [reference for _, reference in secret_references(settings.model_dump())]
    assert len(references) == len(set(references))


def test_the_example_sends_each_dialect_the_header_it_expects() -> None:
    routes = load_settings(EXAMPLE).routes.values()
    for route in (route for route in routes if route.dialect in CALLBACK_DIALECTS):
        assert DIALECTS[route.dialect].callback_header == getattr(route.callback.auth, "name", None)
