"""Laws that hold for every body and every dialect."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from contracts.dialects import DIALECTS
from contracts.identity import content_digest
from contracts.requests import Intake
from tests.contracts.documented import DOCUMENTED, FACTS, FAILURE, INLINE, TWO, Body
from tests.contracts.examples import EXAMPLES
from tests.contracts.strategies import hostile_text

CHEAP = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])

ANY_TEXT = hostile_text()
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT
ANY_JSON: st.SearchStrategy[JsonValue] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3), max_leaves=6
)
NAMES = sorted({path.rpartition(".")[2] for documented in DOCUMENTED.values() for path in documented.fields})
LIKELY = st.sampled_from(["7", "7.5", "1024x1024", "16:9", "a fox", "\x00", "\ud800", "1e999", -0.0, 2**63, 1e300])
OBJECTS = st.dictionaries(st.sampled_from(NAMES) | ANY_TEXT, ANY_JSON | LIKELY, max_size=8)
BODIES = OBJECTS | st.builds(lambda fields, params: {**fields, "params": params}, OBJECTS, OBJECTS)
DIALECT_NAMES = st.sampled_from(sorted(DIALECTS))


def _shuffled(value: JsonValue, dice: random.Random) -> JsonValue:
    if isinstance(value, list):
        return [_shuffled(item, dice) for item in value]
    if isinstance(value, dict):
        return {name: _shuffled(value[name], dice) for name in dice.sample(list(value), len(value))}
    return value


def _assert_lawful(intake: Intake) -> None:
    assert (intake.request is None) == bool(intake.problems)
    assert intake.reference.request_id
    written = intake.model_dump_json()
    assert Intake.model_validate_json(written) == intake
    assert json.loads(written, parse_constant=lambda name: pytest.fail(f"{name} is not JSON")) is not None


@CHEAP
@given(DIALECT_NAMES, BODIES)
def test_any_object_is_parsed(name: str, body: Body) -> None:
    _assert_lawful(DIALECTS[name].parse(body))


@CHEAP
@given(DIALECT_NAMES, BODIES)
def test_a_valid_body_with_anything_over_it_is_parsed(name: str, fields: Body) -> None:
    _assert_lawful(DIALECTS[name].parse({**EXAMPLES[name]["full"], **fields}))


@CHEAP
@given(st.data(), DIALECT_NAMES)
def test_exactly_the_missing_required_fields_are_problems(data: st.DataObject, name: str) -> None:
    full, documented = EXAMPLES[name]["full"], DOCUMENTED[name]
    kept = data.draw(st.sets(st.sampled_from(sorted(full))))
    intake = DIALECTS[name].parse({field: full[field] for field in kept})
    _assert_lawful(intake)
    missing = {path for path in documented.required if "." not in path and path not in kept}
    named = {problem.split(" is ")[0] for problem in intake.problems}
    assert named - {"model_name or model_id"} == missing
    assert ("model_name or model_id" in named) == (name == "request" and not {"model_name", "model_id"} & kept)


@CHEAP
@given(DIALECT_NAMES, BODIES, st.randoms(use_true_random=False))
def test_key_order_does_not_matter(name: str, fields: Body, dice: random.Random) -> None:
    body: Body = {**EXAMPLES[name]["full"], **fields}
    shuffled = _shuffled(body, dice)
    assert isinstance(shuffled, dict)
    first, second = DIALECTS[name].parse(body), DIALECTS[name].parse(shuffled)
    assert first == second
    assert _digest(first) == _digest(second)


def _digest(intake: Intake) -> str:
    return content_digest(intake.model_dump(mode="json"))


@CHEAP
@given(DIALECT_NAMES, BODIES)
def test_the_digest_outlives_a_round_trip(name: str, fields: Body) -> None:
    intake = DIALECTS[name].parse({**EXAMPLES[name]["full"], **fields})
    assert _digest(Intake.model_validate_json(intake.model_dump_json())) == _digest(intake)


@CHEAP
@given(DIALECT_NAMES, st.text(min_size=1).filter(lambda text: text.strip() and "\x00" not in text))
def test_any_proper_text_is_a_prompt(name: str, prompt: str) -> None:
    intake = DIALECTS[name].parse(_with_prompt(name, prompt))
    assert intake.request is not None
    assert intake.request.prompt == prompt


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_huge_prompts_are_kept_whole(name: str) -> None:
    prompt = "füchse \N{FOX FACE} " * 20_000
    assert len(prompt.encode()) > 200_000
    intake = DIALECTS[name].parse(_with_prompt(name, prompt))
    _assert_lawful(intake)
    assert intake.request is not None
    assert intake.request.prompt == prompt


def _with_prompt(name: str, prompt: str) -> Body:
    body = EXAMPLES[name]["minimal"]
    return {**body, "params": {"prompt": prompt}} if name == "endpoint" else {**body, "prompt": prompt}


@CHEAP
@given(DIALECT_NAMES, BODIES)
def test_whatever_came_in_both_callbacks_and_the_acknowledgement_can_be_sent(name: str, fields: Body) -> None:
    dialect = DIALECTS[name]
    reference = dialect.parse({**EXAMPLES[name]["full"], **fields}).reference
    for body in (
        dict(dialect.acknowledge(reference)),
        dialect.render_success(reference, TWO, INLINE, FACTS),
        dialect.render_failure(reference, FAILURE, FACTS),
    ):
        sent = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        assert json.loads(sent) == body
