"""The project's own declarations agree: pyproject, locks, image, compose file, set-up of Temporal."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from contracts import search_attributes
from runtime.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
COMPOSE_TEXT = (CHECKOUT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()
PACKAGES = sorted(path.parent.name for path in CHECKOUT.glob("*/__init__.py"))
RUNTIME = PROJECT["project"]["dependencies"]
DEV = RUNTIME + PROJECT["project"]["optional-dependencies"]["dev"]
LOCKS = {
    "requirements.lock": RUNTIME,
    "requirements-dev.lock": DEV,
    "requirements-build.lock": PROJECT["build-system"]["requires"],
}


def pins(lock: str) -> dict[str, str]:
    """Package -> version of a lock file."""
    return dict(re.findall(r"^([a-z0-9.-]+)(?:\[[a-z0-9,-]+\])?==(\S+)", (CHECKOUT / lock).read_text(), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_leaves_the_index_to_the_machine(lock: str) -> None:
    text = (CHECKOUT / lock).read_text()
    assert not re.search(r"://|\s@\s|--(index|extra-index|find-links|trusted-host)", text)
    assert "scripts/lock" in text.splitlines()[1]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_of_a_lock_is_hashed(lock: str) -> None:
    entries = re.split(r"^(?=[a-z0-9])", (CHECKOUT / lock).read_text(), flags=re.MULTILINE)[1:]
    # A package may stand twice, with a version for each range of Pythons.
    assert {re.split(r"[=\[]", entry)[0] for entry in entries} == set(pins(lock))
    assert [entry for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}", entry)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_every_declared_dependency(lock: str) -> None:
    declared = {re.split(r"[<>=\[ ]", line)[0] for line in LOCKS[lock]}
    assert declared - set(pins(lock)) == set()


def test_what_is_tested_is_what_runs() -> None:
    tested = pins("requirements-dev.lock")
    assert pins("requirements.lock").items() <= tested.items()
    assert pins("requirements-build.lock").items() <= tested.items()


def test_the_wheel_holds_every_module(tmp_path: Path) -> None:
    sources = [*PACKAGES, "worker.py", "pyproject.toml", "README.md", "LICENSE"]
    for name in sources:
        origin = CHECKOUT / name
        (shutil.copytree if origin.is_dir() else shutil.copy)(origin, tmp_path / name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        packed = set(wheel.namelist())
    wanted = {
        str(path.relative_to(CHECKOUT))
        for package in PACKAGES
        for pattern in ("*.py", "*.html", "*.json")
        for path in (CHECKOUT / package).rglob(pattern)
    }
    assert wanted | {"worker.py"} <= packed


def test_the_image_holds_every_package() -> None:
    copied = set(re.findall(r"^COPY (\w+) \1$", DOCKERFILE, re.MULTILINE))
    let_in = {line[1:] for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    assert set(PACKAGES) <= copied <= let_in


def test_the_image_is_pinned_and_runs_without_privileges() -> None:
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"python:3.13-slim-trixie"}
    assert re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)[-1] != "0"
    installs = [line for line in DOCKERFILE.splitlines() if "pip install" in line]
    assert [line for line in installs if not re.search("--require-hashes|--no-index", line)] == []


def test_compose_has_the_services_of_a_deployment() -> None:
    assert {"postgresql", "temporal", "temporal-ui", "starter", "worker", "odoo"} <= set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_and_checked(name: str) -> None:
    service = SERVICES[name]
    _, _, tag = service["image"].partition(":")
    assert tag[:1].isdigit()
    assert service.get("user") != "root"
    assert not service.get("privileged", False)
    runs_once = service["restart"].startswith("on-failure")
    assert runs_once or "healthcheck" in service


def test_only_the_starter_listens_beyond_this_host() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    open_to_all = {name for name, ports in published.items() if not all(p.startswith("127.0.0.1:") for p in ports)}
    assert open_to_all == {"starter"}


def test_secrets_come_as_files_only() -> None:
    assert all(set(secret) == {"file"} for secret in COMPOSE["secrets"].values())
    used = {name for service in SERVICES.values() for name in service.get("secrets", [])}
    assert used == set(COMPOSE["secrets"])
    for service in SERVICES.values():
        named = [key for key in service.get("environment", {}) if re.search("PASSWORD|SECRET|KEY|PWD", key)]
        assert all("/run/secrets/" in service["environment"][key] for key in named)


def test_compose_documents_its_variables() -> None:
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", COMPOSE_TEXT))
    documented = set(re.findall(r"^#   ([A-Z_]+) ", COMPOSE_TEXT, re.MULTILINE))
    assert used == documented


@pytest.mark.parametrize("name", ["starter", "worker"])
def test_compose_sets_only_settings_that_exist(name: str) -> None:
    prefix = "ORCHESTRATOR__"
    keys = [key.removeprefix(prefix) for key in SERVICES[name]["environment"] if key.startswith(prefix)]
    assert keys
    for key in keys:
        section, setting = key.lower().split("__")
        model = Settings.model_fields[section].annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        assert setting in model.model_fields


def test_starter_and_worker_share_store_and_signing_key() -> None:
    for key in ("volumes", "secrets", "configs"):
        assert SERVICES["starter"][key] == SERVICES["worker"][key]


def test_a_stopping_worker_gets_the_time_it_asks_for() -> None:
    grace = SERVICES["worker"]["stop_grace_period"]
    assert float(grace.removesuffix("s")) > Settings().worker.shutdown_grace_s


def test_temporal_is_given_every_search_attribute() -> None:
    script = (CHECKOUT / "deploy" / "temporal" / "prepare-namespace").read_text()
    (created,) = re.findall(r"^set -- ([A-Z].*)$", script, re.MULTILINE)
    assert created.split() == [key.name for key in search_attributes.ALL]
