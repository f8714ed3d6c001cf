"""The configuration reference, made from the settings: `python -m runtime.reference > docs/configuration.md`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from runtime.environment import variable_name
from runtime.settings_schema import Node, free_value, is_composite, keys, kinds, root
from runtime.settings_values import PATTERNS

EXAMPLE = Path(__file__).parents[1] / "orchestrator.example.toml"
"""The example that the reference ends with."""

_INTRO = """\
# Configuration

<!-- Made by `python -m runtime.reference > docs/configuration.md`; edit the settings in runtime/ instead. -->

Starter and worker read the same settings, each layer over the one before:

1. the defaults below;
2. one TOML file: `--config FILE`, else the one that `ORCHESTRATOR_CONFIG` names, else `./orchestrator.toml` if there;
3. environment variables: `ORCHESTRATOR__`, then the path of the setting in upper case with `__` for each dot, as
   `ORCHESTRATOR__ROUTES__EVENT__PATH` for `routes.event.path`. Lists and whole sections are JSON:
   `ORCHESTRATOR__ROUTES__EVENT__SERVICES='["flux", "gpu"]'`.

Unknown keys and variables are errors that name the nearest valid one. Where a key below reads NAME, the name is yours:
at most 64 of a-z, 0-9, - and _.

**Secrets** stand nowhere in the configuration: a setting holds a reference, `env:NAME` (an environment variable) or
`file:/path` (a file, blanks at its ends cut off). It is read at every use, so that a rotated secret needs no restart.
Where our callers authenticate, a setting may also hold a list of references, as `["env:NEW", "env:OLD"]`: any one of
them opens the door while both are in use.

**n8n's variable** `N8N_PAYLOAD_SIZE_MAX` (MiB) is the default of `starter.body_limit` where it is set.

**Temporal** is configured as for every Temporal client: by `TEMPORAL_ADDRESS` (default localhost:7233),
`TEMPORAL_NAMESPACE` (default `default`), `TEMPORAL_API_KEY` and `TEMPORAL_TLS...`, or by a profile in a `temporal.toml`
(`TEMPORAL_CONFIG_FILE`, `TEMPORAL_PROFILE`; by default `~/.config/temporalio/temporal.toml` and profile `default`).
"""

_AUTH = """\
## Authentication

Every `auth` is one of these: {places}. Its variables begin as that section's do, as
`{prefix}`.
"""

_FORMATS = {
    "uri": "http or https URL",
    "origin": "origin, as `https://odoo.example`",
    "secret-reference": "secret reference",
    "secret-references": "secret reference, or list of them",
    "cors-origin": "origin or `*`",
    "network": "IP address or network",
    "rate": "number per second, minute, hour or day, as `60/minute`",
    "path": "path",
}
_TYPES = {"integer": "whole number", "number": "number", "boolean": "true or false", "string": "text"}


def reference() -> str:
    """The whole page."""
    sections = list(_sections("", root()))
    parts = [_INTRO, *(_section(path, node) for path, node in sections if not kinds(node))]
    parts += _authentication([(path, node) for path, node in sections if kinds(node)])
    parts.append(f"## A complete example\n\n`orchestrator.example.toml`:\n\n```toml\n{EXAMPLE.read_text()}```\n")
    return "\n".join(parts)


def _sections(path: str, node: Node) -> Iterator[tuple[str, Node]]:
    value = free_value(node)
    if value is not None:
        if is_composite(value):
            yield from _sections(f"{path}.NAME", value)
        return
    if path:
        yield path, node
    if not kinds(node):
        for name, key in keys(node).items():
            if is_composite(key) and key.get("type") != "array":
                yield from _sections(f"{path}.{name}".lstrip("."), key)


def _section(path: str, node: Node) -> str:
    return f"## `[{path}]`\n\n{node['description']}\n\n{_table(path, node)}"


def _authentication(places: list[tuple[str, Node]]) -> Iterator[str]:
    path, node = max(places, key=lambda place: len(kinds(place[1])))
    named = ", ".join(f"`{place}`" for place, _ in places)
    yield _AUTH.format(places=named, prefix=variable_name(f"{path}.kind"))
    for kind, section in kinds(node).items():
        having = [place for place, choice in places if kind in kinds(choice)]
        only = "" if len(having) == len(places) else f" Only in {' and '.join(f'`{place}`' for place in having)}."
        yield f'### `kind = "{kind}"`\n\n{section["description"]}{only}\n\n{_table(path, section)}'


def _table(path: str, section: Node) -> str:
    rows = [_row(f"{path}.{name}", section, name, key) for name, key in keys(section).items()]
    return "\n".join(["| Key | Value | Default | Meaning |", "|---|---|---|---|", *rows, ""])


def _row(path: str, section: Node, name: str, node: Node) -> str:
    default = "required" if name in section.get("required", []) else _default(node)
    cells = [f"`{name}`<br>`{variable_name(path)}`", _value(node), default, node["description"]]
    return "| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in cells) + " |"


def _default(node: Node) -> str:
    value = node.get("const", node.get("default"))
    if kinds(node):
        return _code(value["kind"]) if value else "not set"
    if value is None:
        return "not set"
    if is_composite(node):
        return "its own defaults" if value else "none"
    return _code(value)


def _code(value: object) -> str:
    shown = int(value) if isinstance(value, float) and value.is_integer() else value
    return f"`{json.dumps(shown)}`"


def _value(node: Node) -> str:
    if kinds(node):
        return "section, see [Authentication](#authentication)"
    if node.get("type") == "array":
        return f"list of: {_value(node['items'])}"
    below = free_value(node)
    if below is not None:
        return f"table: name = {_value(below)}"
    return "section of its own" if is_composite(node) else _scalar(node)


def _scalar(node: Node) -> str:
    choices = node.get("enum", [node["const"]] if "const" in node else [])
    if choices:
        return " or ".join(f'`"{choice}"`' for choice in choices)
    if "pattern" in node:
        return PATTERNS[node["pattern"]].removeprefix("must be ")
    kind = _FORMATS.get(node.get("format", ""), _TYPES[node["type"]])
    return ", ".join([kind, *_range(node)])


def _range(node: Node) -> Iterator[str]:
    limits = {
        "exclusiveMinimum": "more than {}",
        "minimum": "at least {}",
        "maximum": "at most {}",
        "minLength": "not empty",
        "maxLength": "at most {} characters",
    }
    for limit, words in limits.items():
        if limit in node:
            yield words.format(node[limit])


if __name__ == "__main__":
    sys.stdout.write(reference())
