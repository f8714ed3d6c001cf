"""Exports that are damaged, of another kind, or made to do harm: one clear line, or a safe result."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from operations.n8n_import.exported import Workflow
from operations.n8n_import.findings import quoted
from operations.n8n_import.importing import import_workflows
from operations.n8n_import.reading import LARGEST, ExportError, read_export
from operations.n8n_import.report import to_document, to_markdown
from operations.n8n_import.toml_document import to_toml
from runtime.configuration import load_settings
from tests.n8n_import.exports import INFLUENCEGEN, call_back, draw, flow, imported, webhook

GOOD = INFLUENCEGEN.read_bytes()

UNREADABLE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "ends too early"),
    "blank": (b" \n ", "ends too early"),
    "truncated": (GOOD[: len(GOOD) // 2].rstrip(b" \n,"), "JSON"),
    "cut_after_a_comma": (b'[{"name": "a",', "ends too early"),
    "no_json": (b"<html>", "is not valid JSON (line 1, column 1)"),
    "no_text": (b"\x80\x81\xff", "is not text in UTF-8"),
    "deep_list": (b"[" * 100_000, "nested deeper than 100 levels"),
    "deep_but_parsed": (b"[" * 150 + b"]" * 150, "nested deeper than 100 levels"),
    "huge_number": (b'[{"nodes": [], "id": ' + b"9" * 10_000 + b"}]", "a number that is none or far too long"),
    "not_a_number": (b'[{"nodes": [], "id": NaN}]', "a number that is none"),
    "number": (b"7", "must be a workflow or a list of workflows"),
    "text": (b'"x"', "must be a workflow or a list of workflows"),
    "no_workflows": (b"[]", "holds no workflow"),
    "null_data": (b'{"data": null}', "holds no workflow"),
    "credentials": (b'[{"id": "1", "name": "k", "type": "httpBasicAuth", "data": "x"}]', "no list of nodes"),
    "list_of_lists": (b"[[]]", "workflow 1 has no list of nodes"),
    "node_is_text": (b'{"nodes": ["x"]}', "workflow 1, node 1 must be an object with a name and a type"),
    "node_without_type": (b'{"nodes": [{"name": "x"}]}', "node 1 must be an object with a name and a type"),
    "connections": (b'{"nodes": [], "connections": [1]}', "connections must be an object"),
    "outputs": (b'{"nodes": [], "connections": {"a\\nb": {"main": 1}}}', "connections of `a b` must be lists"),
}


@pytest.mark.parametrize(("content", "words"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_one_clear_line(content: bytes, words: str) -> None:
    with pytest.raises(ExportError) as caught:
        read_export(content)
    message = str(caught.value)
    assert words in message
    assert message.isprintable()


def test_a_file_that_is_too_large_is_not_read() -> None:
    with pytest.raises(ExportError, match="is larger than 64 MiB"):
        read_export(b" " * (LARGEST + 1))


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        json.dumps(json.loads(GOOD)[0]).encode(),
        json.dumps({"data": json.loads(GOOD), "nextCursor": None}).encode(),
        b"\xef\xbb\xbf" + GOOD,
        GOOD.decode().encode("utf-16"),
    ],
    ids=["list", "one", "api", "bom", "utf16"],
)
def test_every_form_of_an_export_is_read(content: bytes) -> None:
    assert [workflow.name for workflow in read_export(content)] == ["InfluenceGen AI image generate"]


EVIL = [
    'a"\n[routes.evil]\npath = "x"',
    "x\r\n# Heading\n- item",
    "` <script>alert(1)</script> `",
    "``` ![x](http://evil.example)",
    "\x00\x1b[31m\x7f\u202e\u2028",
    "\"\"\"'''\\",
    "\ud800 half",
    "x" * 5000,
    "",
    " ",
    "🦊 Füchse",
    "PATH",
    "__proto__",
]


def evil_flow(name: str) -> dict[str, Any]:
    call, end = f"{name} draw", f"{name} end"
    links = {
        name: {"main": [[{"node": call}]]},
        call: {"main": [[{"node": end}]]},
        end: {"main": [[{"node": name}]]},
    }
    parameters = {
        "authentication": "genericCredentialType",
        "genericAuthType": "httpHeaderAuth",
        "headerParameters": {"parameters": [{"name": name, "value": name}, {"name": f"key {name}", "value": name}]},
        "options": {"timeout": name},
    }
    credentials = {"httpHeaderAuth": {"name": name}}
    body = json.dumps({"request_id": name, name: name, "status": name})
    options = {"responseData": name, "responseHeaders": {"entries": [{"name": "X-A", "value": name}]}, name: name}
    hook = webhook({"authentication": "headerAuth", "options": options}, credentials=credentials)
    return {
        "name": name,
        "nodes": [
            {**hook, "name": name},
            draw({**parameters, "jsonBody": body}, name=call, credentials=credentials, maxTries=name, retryOnFail=True),
            call_back({**parameters, "jsonBody": f"={body}"}, name=end, credentials=credentials),
        ],
        "connections": links,
        "settings": {"errorWorkflow": name},
    }


def parsed_lines(markdown: str) -> list[str]:
    """The lines without their code spans: what Markdown would make something of."""
    return ["".join(line.split("`")[::2]) for line in markdown.splitlines()]


@pytest.mark.parametrize("name", EVIL)
def test_hostile_names_do_no_harm(name: str, tmp_path: Path) -> None:
    result = imported(evil_flow(name))
    file = tmp_path / "imported.toml"
    file.write_text(to_toml(result), encoding="utf-8")
    ((route, settings),) = load_settings(file).routes.items()
    assert route != "evil"
    assert (settings.path, settings.response.data) == ("draw", name.replace("\ud800", "\ufffd") or None)
    assert all(supply.variable != "PATH" for supply in result.supplies)
    markdown = to_markdown(result, name)
    titles = [line for line in parsed_lines(markdown) if line.startswith("#")]
    assert len(titles) == 7
    for line in parsed_lines(markdown):
        assert line == "" or line.isprintable()
        assert not {"<", "![", "]("} & {line[at : at + size] for at in range(len(line)) for size in (1, 2)}
    json.dumps(to_document(result, ""), ensure_ascii=False).encode()


def test_a_long_literal_is_not_shown() -> None:
    hidden = "sk-0123456789abcdef"
    code = f"={{{{ f('{hidden}') }}}}"
    result = imported(flow(webhook(), draw({"url": code}), call_back({"jsonBody": code})))
    assert hidden not in to_toml(result) + to_markdown(result, "x")


@given(st.text())
def test_a_quotation_is_one_line_that_nothing_leaves(text: str) -> None:
    shown = quoted(text)
    assert shown.isprintable()
    assert (shown[0], shown[-1], shown.count("`")) == ("`", "`", 2)


def test_thousands_of_webhooks(tmp_path: Path) -> None:
    hooks = [{**webhook({"path": f"p{number}"}), "name": f"h{number}"} for number in range(1000)]
    links = {hook["name"]: {"main": [[{"node": "Draw"}]]} for hook in hooks}
    links["Draw"] = {"main": [[{"node": "Callback"}]]}
    result = imported({"name": "Many", "nodes": [*hooks, draw(), call_back()], "connections": links})
    assert len(tomllib.loads(to_toml(result))["routes"]) == 1000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
SPOTS = (
    ("nodes", 0, "parameters"),
    ("nodes", 1, "parameters"),
    ("nodes", 1, "parameters", "options"),
    ("nodes", 1, "parameters", "jsonBody"),
    ("nodes", 1, "parameters", "url"),
    ("nodes", 2, "parameters", "url"),
    ("nodes", 0, "parameters", "path"),
    ("nodes", 0, "parameters", "options"),
    ("nodes", 0, "parameters", "httpMethod"),
    ("nodes", 0, "parameters", "authentication"),
    ("nodes", 0, "webhookId"),
    ("nodes", 1, "maxTries"),
    ("nodes", 1, "credentials"),
    ("nodes", 1, "name"),
    ("nodes", 2, "type"),
    ("connections", "AI image"),
    ("connections",),
    ("settings",),
    ("name",),
    ("nodes",),
)


def read_or_refused(content: bytes) -> list[Workflow] | None:
    """The workflows, or None where one clear line refuses them."""
    try:
        return read_export(content)
    except ExportError as error:
        return None if str(error).isprintable() else []


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spot=st.sampled_from(SPOTS), value=JSON)
def test_any_value_anywhere_is_refused_or_imported(spot: tuple[str | int, ...], value: JsonValue) -> None:
    export = json.loads(GOOD)[0]
    *path, last = spot
    place = export
    for step in path:
        place = place[step]
    place[last] = value
    workflows = read_or_refused(json.dumps(export).encode())
    if workflows is None:
        return
    result = import_workflows(workflows)
    tomllib.loads(to_toml(result))
    assert result.sections.problems() == []
    assert to_markdown(result, "x")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_refused_or_read(content: bytes) -> None:
    assert read_or_refused(content) != []
