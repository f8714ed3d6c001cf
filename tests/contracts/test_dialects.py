"""One suite for every dialect: the same laws, and exactly what the contract documents."""

from __future__ import annotations

import json
from itertools import permutations

import pytest
from pydantic import JsonValue

from contracts.dialects import DIALECTS, Dialect
from contracts.identity import content_digest
from contracts.requests import Intake
from tests.contracts.documented import DOCUMENTED, FACTS, FAILURE, INLINE, LINKED, ONE, TWO, WRONG, Body, Documented
from tests.contracts.examples import EXAMPLES, changed, without

REQUIRED = [(name, path) for name, documented in DOCUMENTED.items() for path in documented.required]
FIELDS = [(name, path, kind) for name, documented in DOCUMENTED.items() for path, kind in documented.fields.items()]
NUMBERS = [field for field in FIELDS if field[2] in {"integer", "number"}]
ADAPTER_DEFAULTS = {"width": 1024, "height": 1024, "aspect_ratio": "1:1", "steps": 20, "cfg_scale": 7.5}


@pytest.fixture(params=sorted(DIALECTS))
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return DIALECTS[request.param]


@pytest.fixture
def documented(dialect: Dialect) -> Documented:
    return DOCUMENTED[dialect.name]


@pytest.fixture
def full(dialect: Dialect) -> Body:
    return EXAMPLES[dialect.name]["full"]


@pytest.fixture
def intake(dialect: Dialect, full: Body) -> Intake:
    return dialect.parse(full)


def _at(content: JsonValue, path: str) -> JsonValue:
    for part in path.split(".") if path else ():
        if isinstance(content, list):
            content = content[int(part)]
        else:
            assert isinstance(content, dict)
            content = content.get(part)
    return content


def test_every_dialect_is_documented_and_registered_under_its_name() -> None:
    assert set(DIALECTS) == set(DOCUMENTED) == set(EXAMPLES)
    assert all(dialect.name == name for name, dialect in DIALECTS.items())


def test_full_example_means_the_canonical_request(intake: Intake, documented: Documented, full: Body) -> None:
    assert intake.problems == ()
    assert intake.request == documented.canonical
    assert intake.reference.request_id == (documented.request_id or full[documented.identifier])
    assert intake.callback_url == (full[documented.callback_url] if documented.callback_url else None)


def test_minimal_example_is_enough(dialect: Dialect) -> None:
    intake = dialect.parse(EXAMPLES[dialect.name]["minimal"])
    assert intake.problems == ()
    assert intake.request is not None
    assert intake.request.prompt == "a red fox"
    assert intake.request.custom is None


def test_only_the_adapter_has_defaults(dialect: Dialect) -> None:
    body: Body = {**EXAMPLES[dialect.name]["minimal"]}
    request = dialect.parse(body).request
    assert request is not None
    expected = ADAPTER_DEFAULTS if dialect.name == "adapter" else dict.fromkeys(ADAPTER_DEFAULTS)
    if dialect.name == "request":
        expected |= {"width": 512, "height": 512, "aspect_ratio": "1:1"}
    assert {name: getattr(request, name) for name in ADAPTER_DEFAULTS} == expected


def test_acknowledges_as_documented(dialect: Dialect, intake: Intake, documented: Documented) -> None:
    assert dict(dialect.acknowledge(intake.reference)) == documented.acknowledgement


def test_names_its_header_envelope_and_secret(dialect: Dialect, documented: Documented) -> None:
    assert dialect.callback_header == documented.header
    assert dialect.envelope == documented.envelope
    assert dialect.secret_field == documented.secret


@pytest.mark.parametrize(("name", "path"), REQUIRED)
@pytest.mark.parametrize("absent", ["missing", None, "", " \t"])
def test_missing_required_field_is_named(name: str, path: str, absent: str | None) -> None:
    full = EXAMPLES[name]["full"]
    body = without(full, path) if absent == "missing" else changed(full, path, absent)
    intake = DIALECTS[name].parse(body)
    assert intake.request is None
    assert intake.problems == (f"{path} is required and missing",)
    _assert_identified(intake, full, path)


def _assert_identified(intake: Intake, full: Body, path: str) -> None:
    documented = DOCUMENTED[intake.reference.dialect]
    usual = documented.request_id or full[documented.identifier]
    if path in (documented.identifying or (documented.identifier,)):
        assert intake.reference.request_id.startswith("sha256-")
    elif path == "write_date":
        assert intake.reference.request_id != usual
    else:
        assert intake.reference.request_id == usual


@pytest.mark.parametrize(("name", "path", "kind"), FIELDS)
def test_wrong_type_names_the_field(name: str, path: str, kind: str) -> None:
    full = EXAMPLES[name]["full"]
    for wrong in WRONG[kind]:
        intake = DIALECTS[name].parse(changed(full, path, wrong))
        assert intake.request is None
        assert [problem.split(" must be ")[0] for problem in intake.problems] == [path], wrong
        assert intake.problems[0].isprintable()
        assert intake.problems[0].isascii()
        _assert_identified(intake, full, path)


@pytest.mark.parametrize(("name", "path", "kind"), NUMBERS)
def test_numbers_arrive_as_strings(name: str, path: str, kind: str) -> None:
    full = EXAMPLES[name]["full"]
    number: JsonValue = 20 if kind == "integer" else 7.5
    plain = DIALECTS[name].parse(changed(full, path, number))
    assert plain.request is not None
    for text in (f"{number}", f" {number} ", f"+{number}", f"{number}.0" if kind == "integer" else f"{number}0"):
        assert DIALECTS[name].parse(changed(full, path, text)) == plain
    assert DIALECTS[name].parse(changed(full, path, float(str(number)))) == plain


def test_every_problem_is_told_at_once(dialect: Dialect, documented: Documented) -> None:
    outer = {path for path in documented.required if "." not in path}
    problems = dialect.parse({}).problems
    assert outer <= {problem.split(" is ")[0] for problem in problems}


@pytest.mark.parametrize("value", ["x", 1, None, False, [1], {"deep": [{}]}, "half \ud800", float("inf")])
def test_unknown_fields_are_never_an_error(
    dialect: Dialect, documented: Documented, full: Body, value: JsonValue
) -> None:
    plain = dialect.parse(full)
    extended = dialect.parse(changed(full, "unknown_field", value))
    assert extended.problems == ()
    assert documented.custom == "" or content_digest(extended.model_dump(mode="json")) == content_digest(
        plain.model_dump(mode="json")
    )


def test_custom_fields_are_kept_only_where_documented(dialect: Dialect, documented: Documented, full: Body) -> None:
    inside = "params." if dialect.name == "endpoint" else ""
    request = dialect.parse(changed(full, f"{inside}scheduler", {"a": [1, None]})).request
    assert request is not None
    kept = (request.custom or {}).get("scheduler")
    assert kept == ({"a": [1, None]} if documented.custom in {"", "params"} else None)


def test_custom_fields_that_cannot_be_carried_are_replaced() -> None:
    deep: JsonValue = "bottom"
    for _ in range(300):
        deep = [deep]
    wild: Body = {chr(0xD800): "half \ud800", chr(0xDFFF): 2, "far": float("inf"), "deep": deep, "huge": 10**400}
    intake = DIALECTS["adapter"].parse({**EXAMPLES["adapter"]["minimal"], "custom_params": wild})
    assert intake.request is not None
    custom = intake.request.custom
    assert custom is not None
    assert custom["?"] == 2
    assert custom["far"] is None
    assert _depth(custom["deep"]) < 100
    assert custom["huge"] == 10**400
    assert Intake.model_validate_json(intake.model_dump_json()) == intake


def _depth(value: JsonValue) -> int:
    return 1 + _depth(value[0]) if isinstance(value, list) else 0


def test_custom_names_that_become_equal_leave_the_same_winner_in_any_order() -> None:
    wild: Body = {chr(0xD800): 1, "?": 2, chr(0xDFFF): 3}
    kept = [
        DIALECTS["adapter"].parse({**EXAMPLES["adapter"]["minimal"], "custom_params": dict(order)}).request
        for order in permutations(wild.items())
    ]
    assert [request.custom for request in kept if request] == [{"?": 3}] * 6


def test_success_carries_exactly_what_is_documented(dialect: Dialect, intake: Intake, documented: Documented) -> None:
    assert dialect.render_success(intake.reference, ONE, INLINE[:1], FACTS) == documented.success


def test_image_travels_inline_or_as_a_url(dialect: Dialect, intake: Intake, documented: Documented) -> None:
    url, data = documented.image_names
    inline = _at(dialect.render_success(intake.reference, ONE, INLINE[:1], FACTS), documented.image_path)
    linked = _at(dialect.render_success(intake.reference, ONE, LINKED[:1], FACTS), documented.image_path)
    assert isinstance(inline, dict)
    assert isinstance(linked, dict)
    assert (inline.get(url), inline.get(data)) == (None, "aW1hZ2U=")
    assert (linked.get(url), linked.get(data)) == ("https://us.example/1", None)


def test_several_images_are_counted_or_carried(dialect: Dialect, intake: Intake, documented: Documented) -> None:
    callback = dialect.render_success(intake.reference, TWO, INLINE, FACTS)
    first = _at(callback, documented.image_path)
    assert isinstance(first, dict)
    assert first[documented.image_names[1]] == "aW1hZ2U="
    if documented.count_path is not None:
        assert _at(callback, documented.count_path) == 2
        return
    images = callback["images"]
    assert isinstance(images, list)
    names = [_at(image, "filename") for image in images]
    assert names == ["fake-adapter-2-1.png", "fake-adapter-2-2.jpeg"]
    assert _at(images[1], "metadata") == {"width": 512, "height": 512, "size": 90, "sha256": "b" * 64}


def test_failure_carries_exactly_what_is_documented(dialect: Dialect, intake: Intake, documented: Documented) -> None:
    assert dialect.render_failure(intake.reference, FAILURE, FACTS) == documented.failure


def test_everything_sent_is_json(dialect: Dialect, intake: Intake) -> None:
    for images in (INLINE, LINKED):
        success = dialect.render_success(intake.reference, TWO, images, FACTS)
        assert json.loads(json.dumps(success, allow_nan=False)) == success
    failure = dialect.render_failure(intake.reference, FAILURE, FACTS)
    assert json.loads(json.dumps(failure, allow_nan=False)) == failure


def test_secrets_stay_out(dialect: Dialect, full: Body) -> None:
    body: Body = {**full, "security_token": "made-up-secret"}
    if dialect.name == "endpoint":
        body = changed(body, "params.security_token", "made-up-secret")
        first, second = (
            dialect.parse(changed(without(body, "ai_generation_request_id"), "params.security_token", token))
            for token in ("made-up-secret", "another")
        )
        assert first == second
    if dialect.name != "request":
        assert "made-up-secret" not in dialect.parse(body).model_dump_json()
    assert "made-up-own-token" not in repr(FACTS)


def test_a_route_without_a_token_sends_none() -> None:
    dialect = DIALECTS["endpoint"]
    reference = dialect.parse(EXAMPLES["endpoint"]["minimal"]).reference
    facts = type(FACTS)(execution_id="fake-run-1")
    assert set(dialect.render_failure(reference, FAILURE, facts)) == {"ai_generation_request_id", "result_payload"}


def test_derived_id_ignores_what_the_dialect_ignores(dialect: Dialect, documented: Documented, full: Body) -> None:
    nameless = without(full, documented.identifier)
    plain = dialect.parse(nameless).reference.request_id
    assert dialect.parse({**nameless, "sent_at": "now"}).reference.request_id == plain
    prompt = "params.prompt" if dialect.name == "endpoint" else "prompt"
    assert dialect.parse(changed(nameless, prompt, "another")).reference.request_id != plain


@pytest.mark.parametrize(
    ("preference", "hint"),
    [
        ("Flux", "FLUX"),
        ("the FLUX.1-dev model", "FLUX"),
        ("influx", "FLUX"),
        ("dall-e-3", "dall-e-3"),
        ("SDXL", "SDXL"),
    ],
)
def test_model_preference_selects_the_service(preference: str, hint: str) -> None:
    body = changed(EXAMPLES["correlation"]["minimal"], "model_preference", preference)
    request = DIALECTS["correlation"].parse(body).request
    assert request is not None
    assert (request.service_hint, request.model) == (hint, None)


@pytest.mark.parametrize(
    ("names", "model"),
    [({"model_name": "n", "model_id": "i"}, "n"), ({"model_id": "i"}, "i"), ({"model_name": "", "model_id": "i"}, "i")],
)
def test_model_name_wins_over_model_id(names: Body, model: str) -> None:
    request = DIALECTS["request"].parse({**without(EXAMPLES["request"]["minimal"], "model_name"), **names}).request
    assert request is not None
    assert request.model == model


def test_without_any_model_both_names_are_named() -> None:
    intake = DIALECTS["request"].parse(without(EXAMPLES["request"]["minimal"], "model_name"))
    assert intake.problems == ("model_name or model_id is required and missing",)


def test_file_names_are_safe_whatever_the_id() -> None:
    dialect = DIALECTS["adapter"]
    body = changed(EXAMPLES["adapter"]["minimal"], "request_id", "../../a b/ü" + "x" * 300)
    callback = dialect.render_success(dialect.parse(body).reference, ONE, INLINE[:1], FACTS)
    assert _at(callback, "images.0.filename") == f"______a_b__{'x' * 89}-1.png"
