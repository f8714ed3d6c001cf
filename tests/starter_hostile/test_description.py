"""The OpenAPI description says what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema_rs
import pytest
from pydantic import JsonValue
from starlette.routing import Route
from temporalio.client import Client

from contracts.dialects import DIALECTS
from operations.conformance.cases import Case, load_cases
from operations.conformance.deviations import load_deviations
from operations.conformance.site import write_site
from runtime.blobs import LocalBlobStore
from runtime.configuration import load_settings
from runtime.reference import EXAMPLE
from runtime.settings import RouteSettings, Settings
from starter.app import create_app
from starter.openapi.bodies import body_schema
from starter.openapi.document import rendered
from tests.contracts.documented import DOCUMENTED, WRONG
from tests.contracts.examples import EXAMPLES, changed, without
from tests.starter.front import make_settings

PAGE = Path(__file__).parents[2] / "docs" / "openapi.json"
METHODS = {"get", "head", "post", "put", "patch", "delete"}
DIALECT_NAMES = pytest.mark.parametrize("dialect", sorted(DIALECTS))


def validator(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(schema)


def operations(settings: Settings) -> dict[tuple[str, str], Any]:
    paths: dict[str, dict[str, Any]] = json.loads(rendered(settings))["paths"]
    return {(path, name): item[name] for path, item in paths.items() for name in METHODS & set(item)}


def test_the_page_is_made_from_the_code() -> None:
    expected = rendered(load_settings(EXAMPLE))
    assert PAGE.read_text(encoding="utf-8") == expected, "run: python -m starter.openapi > docs/openapi.json"


async def test_every_route_of_the_application_is_described_and_nothing_else(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    app = create_app(settings, await Client.connect("127.0.0.1:9", lazy=True), LocalBlobStore(tmp_path))
    own = {
        (re.sub(r":\w+}", "}", route.path), method.lower())
        for route in app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    webhooks = {
        (_templated(route), method.lower())
        for route in settings.routes.values()
        if route.active
        for method in route.methods
    }
    assert set(operations(settings)) == own | webhooks


def _templated(route: RouteSettings) -> str:
    segments = [route.webhook_id if ":" in route.path else None, *route.path.strip("/").split("/")]
    return "/webhook/" + "/".join(f"{{{one[1:]}}}" if one.startswith(":") else one for one in segments if one)


def test_references_lead_somewhere_and_operations_have_their_own_names(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    text = rendered(settings)
    schemas = json.loads(text)["components"]["schemas"]
    named = {part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    identifiers = [operation["operationId"] for operation in operations(settings).values()]
    assert named == set(schemas)
    assert len(identifiers) == len(set(identifiers))


@DIALECT_NAMES
def test_the_documented_fields_are_described(dialect: str) -> None:
    known = set(_paths(body_schema(DIALECTS[dialect])))
    secret = DOCUMENTED[dialect].secret
    assert known == set(DOCUMENTED[dialect].fields) | {"params" for path in known if path.startswith("params.")} | (
        {secret} if secret else set()
    )


@DIALECT_NAMES
def test_documented_bodies_are_described_and_wrong_ones_are_not(dialect: str) -> None:
    bodies = validator(body_schema(DIALECTS[dialect]))
    full = EXAMPLES[dialect]["full"]
    assert bodies.is_valid(EXAMPLES[dialect]["minimal"])
    assert bodies.is_valid(full)
    for path in DOCUMENTED[dialect].required:
        assert not bodies.is_valid(without(full, path)), path
    for path, kind in DOCUMENTED[dialect].fields.items():
        for wrong in filter(_is_plain, WRONG[kind]):
            assert not bodies.is_valid(changed(full, path, wrong)), (path, wrong)


def _is_plain(value: JsonValue) -> bool:
    """Neither half a surrogate pair nor infinite: no JSON Schema can speak of these."""
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        return False
    return not isinstance(value, int) or abs(value) < 2**64


def test_one_of_several_fields_may_be_required() -> None:
    bodies = validator(body_schema(DIALECTS["request"]))
    full = EXAMPLES["request"]["full"]
    assert bodies.is_valid(without(full, "model_name"))
    assert bodies.is_valid(without(full, "model_id"))
    assert not bodies.is_valid(without(without(full, "model_id"), "model_name"))


def _paths(schema: Any, prefix: str = "") -> list[str]:
    found = []
    for name, inner in schema.get("properties", {}).items():
        found += [prefix + name, *_paths(inner, f"{prefix}{name}.")]
    return found


DEVIATING = [row.pattern for row in load_deviations()]
RECORDED = [case for case in load_cases() if not any(Path(case.name).match(pattern) for pattern in DEVIATING)]


def test_recorded_answers_are_described(tmp_path: Path) -> None:
    settings = load_settings(write_site(tmp_path))
    described = operations(settings)
    schemas = json.loads(rendered(settings))["components"]
    spoken_of = [(case, described[key]) for case in RECORDED if (key := _key(case)) in described]
    assert len(spoken_of) > 30
    for case, operation in spoken_of:
        response = operation["responses"].get(str(case.expected.status))
        assert response is not None, case.name
        content = response.get("content", {}).get("application/json")
        if content and case.expected.body:
            schema = {**content["schema"], "components": schemas}
            assert validator(schema).is_valid(json.loads(case.expected.body)), case.name


def _key(case: Case) -> tuple[str, str]:
    path = unquote(urlsplit(case.target).path).removesuffix("/")
    return path.replace("/WEBHOOK/", "/webhook/"), case.method.lower()
