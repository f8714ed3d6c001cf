"""Settings from environment variables: ORCHESTRATOR__ROUTES__EVENT__PATH is routes.event.path, lists are JSON."""

from __future__ import annotations

import json
import os
from typing import Any

from pydantic_settings import BaseSettings, EnvSettingsSource

from runtime.settings import Settings
from runtime.settings_schema import Node, child, is_composite, keys, root
from runtime.suggestions import closest

ENV_PREFIX = "ORCHESTRATOR__"
N8N_PAYLOAD_LIMIT = "N8N_PAYLOAD_SIZE_MAX"
"""n8n's own variable for the largest body, in MiB: the default of `starter.body_limit` where it is set."""
_MOST_MIB = 256


class _Environment(Settings, BaseSettings):  # type: ignore[misc]  # the two type model_config differently
    """Tells pydantic-settings which values are JSON."""


def setting_variables() -> dict[str, str]:
    """The dotted path of each setting that the environment sets -> the variable's name."""
    return {
        name[len(ENV_PREFIX) :].lower().replace("__", "."): name
        for name in sorted(os.environ)
        if name.upper().startswith(ENV_PREFIX)
    }


def environment_problems() -> list[str]:
    """One line for each variable that names no setting or is not the JSON that its setting needs."""
    lines = [_problem(name, path.split("."), os.environ[name]) for path, name in setting_variables().items()]
    return [line for line in [*lines, _n8n_problem(os.environ.get(N8N_PAYLOAD_LIMIT, ""))] if line]


def environment_tree() -> dict[str, Any]:
    """The settings of the environment, as a tree. Valid only without `environment_problems`."""
    return EnvSettingsSource(_Environment, env_prefix=ENV_PREFIX, env_nested_delimiter="__")()


def n8n_tree() -> dict[str, Any]:
    """The settings that n8n's own variables stand for. Valid only without `environment_problems`."""
    value = os.environ.get(N8N_PAYLOAD_LIMIT, "")
    return {"starter": {"body_limit": int(value) * 2**20}} if value else {}


def variable_name(path: str) -> str:
    """The variable that sets a dotted path."""
    return ENV_PREFIX + path.replace(".", "__").upper()


def _n8n_problem(limit: str) -> str | None:
    usable = not limit or (limit.isascii() and limit.isdecimal() and 1 <= int(limit) <= _MOST_MIB)
    return None if usable else f"{N8N_PAYLOAD_LIMIT}: must be a whole number of MiB from 1 to {_MOST_MIB}, as 16"


def _problem(variable: str, path: list[str], value: str) -> str | None:
    node: Node = root()
    for position, part in enumerate(path):
        below = child(node, part) if part else None
        if below is None:
            return f"{variable}: unknown setting; {_meant(node, path[:position], part)}"
        node = below
    return _json_problem(variable, node, value) if is_composite(node) else None


def _meant(node: Node, parents: list[str], part: str) -> str:
    names = sorted(keys(node))
    if not names:
        return f"{variable_name('.'.join(parents))} has nothing below it"
    near = closest(part, names)
    if near:
        return f"did you mean {variable_name('.'.join([*parents, near]))}?"
    return f"{variable_name('.'.join([*parents, '']))} goes on with {', '.join(names).upper()}"


def _json_problem(variable: str, node: Node, value: str) -> str | None:
    is_list = node.get("type") == "array"
    try:
        fits = isinstance(json.loads(value), list if is_list else dict)
    except ValueError:
        fits = False
    example = '["a", "b"]' if is_list else '{"key": "value"}'
    return None if fits else f"{variable}: must be JSON, as {example}"
