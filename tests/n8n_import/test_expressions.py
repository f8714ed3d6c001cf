"""Which expressions are read and what they mean; everything else is said to be unread, never guessed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from operations.n8n_import.expressions import LONGEST, read_json, read_value
from operations.n8n_import.values import Joined, Literal, Record, Reference, Sequence, Unread, Value, Variable

BODY_X = Reference(None, ("body", "x"))
NAMED_X = Reference("Webhook", ("body", "x"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain {{ $json.x }}", Literal("plain {{ $json.x }}")),
        ("=plain", Literal("plain")),
        ("=", Literal("")),
        ("={{ $json.body.x }}", BODY_X),
        ("= {{ $json.body.x }} ", BODY_X),
        ("={{ $json['body'][\"x\"] }}", BODY_X),
        ("={{ $json.body?.x }}", BODY_X),
        ("={{ $input.item.json.body.x }}", BODY_X),
        ("={{ $input.first().json.body.x }}", BODY_X),
        ("={{ $('Webhook').item.json.body.x }}", NAMED_X),
        ('={{ $("Webhook").first().json.body.x }}', NAMED_X),
        ("={{ $('Webhook').last().json.body['x'] }}", NAMED_X),
        ('={{ $node["Webhook"].json.body.x }}', NAMED_X),
        ("={{ $node.Webhook.json['body'].x }}", NAMED_X),
        ("={{ $json.images[0].url }}", Reference(None, ("images", "0", "url"))),
        ("={{ $env.X }}", Variable("X")),
        ("={{ $env['X'] }}", Variable("X")),
        ("={{ $env.X }}/a", Joined((Variable("X"), Literal("/a")))),
        ("={{ $env.X + '/a' }}", Joined((Variable("X"), Literal("/a")))),
        ("={{ JSON.stringify($json.body.x) }}", BODY_X),
        ("={{ 'it\\'s' }}", Literal("it's")),
        ("={{ 'a}}b' }}", Literal("a}}b")),
        ("={{ 12.5 }}", Literal(12.5)),
        ("={{ true }}", Literal(value=True)),
        ("={{ [1, 'a',] }}", Sequence((Literal(1), Literal("a")))),
        ("={{ {a: {b: $json.body.x}} }}", Record((("a", Record((("b", BODY_X),))),))),
        ("={{ {'a b': 1, 2: null,} }}", Record((("a b", Literal(1)), ("2", Literal(None))))),
    ],
)
def test_what_is_read(text: str, value: Value) -> None:
    assert read_value(text) == value


@pytest.mark.parametrize(
    "code",
    [
        "",
        "$json.x || 1",
        "$json.x ?? 1",
        "$json.x ? 1 : 2",
        "$json.x.trim()",
        "$json.x.slice(1)",
        "$('Webhook').all()[0].json.x",
        "$('Webhook').item.binary.x",
        "$env",
        "$env.A.B",
        "$now.toISO()",
        "$json['first()']",
        "`a ${$json.x}`",
        "new Date()",
        "1 - 2",
        "'open",
        "{a: 1",
        "{...$json}",
        "(() => 1)()",
        "$json.x; $json.y",
        "JSON.parse($json.x)",
        "9" * 30,
        "(" * 200 + "1" + ")" * 200,
    ],
)
def test_what_is_not_read(code: str) -> None:
    assert isinstance(read_value(f"={{{{ {code} }}}}"), Unread)


def test_what_is_around_an_unread_field_is_read_all_the_same() -> None:
    value = read_value("={{ { a: $json.a || {x: [1]}, b: $json.b, c: [f(1), 2] } }}")
    assert value == Record(
        (
            ("a", Unread("$json.a || {x: [1]}")),
            ("b", Reference(None, ("b",))),
            ("c", Sequence((Unread("f(1)"), Literal(2)))),
        )
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', Record((("a", Literal(1)),))),
        ('={"a": "{{ $json.body.x }}"}', Record((("a", BODY_X),))),
        ('={"a": {{ $json.body.x }} }', Record((("a", BODY_X),))),
        ('={"a": "b {{ $env.X }}!"}', Record((("a", Joined((Literal("b "), Variable("X"), Literal("!")))),))),
        ('={"a\\"": ["{{ $env.X }}"]}', Record((('a"', Sequence((Variable("X"),))),))),
        ("={{ $json.body.x }}", BODY_X),
        ("={{ {a: 1} }}", Record((("a", Literal(1)),))),
    ],
)
def test_json_with_expressions_in_it(text: str, value: Value) -> None:
    assert read_json(text) == value


@pytest.mark.parametrize("text", ["{bad", '={"a": {{ ', "=", "={{ a }} {{ b }}", "=" + "[" * 900 + "]" * 900])
def test_what_is_no_json(text: str) -> None:
    assert not isinstance(read_json(text), Record)


def test_a_program_is_not_read() -> None:
    text = "={{ " + "$json.a + " * LONGEST + "1 }}"
    assert isinstance(read_value(text), Unread)
    assert isinstance(read_json(text), Unread)


PIECES = st.sampled_from(
    ["{{", "}}", "{", "}", "'", '"', "`", "\\", "$json", "$env", ".a", "[0]", "+", ",", ":", "(", ")"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES | st.text(max_size=4), max_size=30).map("".join))
def test_any_text_is_read_or_not_but_never_fails(text: str) -> None:
    for value in (read_value(f"={text}"), read_json(f"={text}"), read_json(text), read_value(f"={{{{{text}}}}}")):
        assert value == value  # noqa: PLR0124 - whatever it is, it is a value


@settings(max_examples=100, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(), st.lists))
def test_a_constant_is_itself(value: JsonValue) -> None:
    if not isinstance(value, str):
        assert read_value(value) == Literal(value)
