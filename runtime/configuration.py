"""Loading the settings, and saying in one line each what is wrong with them."""

from __future__ import annotations

import contextlib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runtime.alert_channels import channel_problems
from runtime.configuration_errors import explain
from runtime.environment import environment_problems, environment_tree, n8n_tree, setting_variables
from runtime.secrets import SecretMissingError, is_reference, references, resolve
from runtime.settings import Settings, StoreSettings

CONFIG_VARIABLE = "ORCHESTRATOR_CONFIG"
DEFAULT_FILE = Path("orchestrator.toml")
SHORTEST_SIGNING_KEY = 16
SECRET_KEYS = frozenset(
    {
        "access_key_id",
        "keys",
        "password",
        "public_key",
        "secret",
        "secret_access_key",
        "security_token",
        "signing_key",
        "url",
        "webhook_secret",
    }
)
"""The keys that hold references to secrets."""


class ConfigurationError(Exception):
    """The configuration cannot be used. Each of `problems` is one line: where, what, what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def config_path(chosen: Path | None = None) -> Path | None:
    """The configuration file: the chosen one, else ORCHESTRATOR_CONFIG's, else ./orchestrator.toml if it exists."""
    named = chosen or (Path(os.environ[CONFIG_VARIABLE]) if os.environ.get(CONFIG_VARIABLE) else None)
    if named is not None:
        return named
    return DEFAULT_FILE if DEFAULT_FILE.is_file() else None


def load_settings(chosen: Path | None = None) -> Settings:
    """Read file and environment; raises `ConfigurationError`."""
    path = config_path(chosen)
    content = _read_toml(path) if path else {}
    problems = environment_problems()
    if problems:
        raise ConfigurationError(problems)
    try:
        return Settings.model_validate(_merged(_merged(n8n_tree(), content), environment_tree()))
    except ValidationError as error:
        raise ConfigurationError(explain(error, setting_variables())) from None


def _merged(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(lower)
    for name, value in upper.items():
        below = lower.get(name)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[name] = _merged(below, value)
        else:
            merged[name] = value
    return merged


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
        return tomllib.loads(content.decode())
    except OSError as error:
        problem = f"{path}: cannot be read ({error.strerror}); name another file with --config or {CONFIG_VARIABLE}"
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problem = f"{path}: is not valid TOML: not UTF-8 (at line {line})"
    except tomllib.TOMLDecodeError as error:
        problem = f"{path}: is not valid TOML: {error}"
    raise ConfigurationError([problem])


def secret_references(tree: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, str]]:
    """Every (setting, reference) in the tree."""
    for name, value in tree.items():
        here = f"{where}.{name}" if where else str(name)
        if isinstance(value, Mapping):
            yield from secret_references(value, here)
        elif name in SECRET_KEYS:
            listed = value if isinstance(value, list | tuple) else (value,)
            yield from ((here, item) for item in listed if isinstance(item, str) and is_reference(item))


def missing_secrets(settings: Settings) -> list[str]:
    """One line for each referenced secret that is not there."""
    return [
        line for where, reference in secret_references(settings.model_dump()) for line in _missing(where, reference)
    ]


def usable_problems(settings: Settings) -> list[str]:
    """One line for each thing that a starter or worker cannot run without; valid settings may lack all of them."""
    none = "routes: none is configured; add a [routes.NAME] (orchestrator.example.toml shows all kinds)"
    problems = [] if settings.routes else [none]
    stores = (*_signing_key(settings.store), *_store_path(settings.store))
    return [*problems, *missing_secrets(settings), *stores, *channel_problems(settings)]


def _missing(where: str, reference: str) -> Iterator[str]:
    try:
        resolve(reference)
    except SecretMissingError as error:
        yield f"{where}: {error}"


def _signing_key(store: StoreSettings) -> Iterator[str]:
    for reference in references(store.signing_key or ()):
        with contextlib.suppress(SecretMissingError):  # told by missing_secrets
            if len(resolve(reference)) < SHORTEST_SIGNING_KEY:
                yield (
                    f"store.signing_key: the key at {reference} has fewer than {SHORTEST_SIGNING_KEY} characters;"
                    " make one with: openssl rand -hex 32"
                )


def _store_path(store: StoreSettings) -> Iterator[str]:
    if store.kind != "local":
        return
    # A directory that is not there yet is made in its nearest parent.
    nearest = next(path for path in (store.path, *store.path.absolute().parents) if path.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
        yield f"store.path: {store.path} cannot be written ({nearest}); give this user write access or choose another"
