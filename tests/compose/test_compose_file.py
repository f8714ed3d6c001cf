"""docker-compose.yml: what the specification asks, and what we promise of every service."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

import jsonschema_rs
import pytest
import yaml
from pydantic import BaseModel

from runtime.settings import Settings
from tests.compose.stack import CHECKOUT, COMPOSE, OURS, SERVICES, TEXT, runs_once, seconds, with_defaults

SPECIFICATION = json.loads((files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json").read_text())
COMPOSE_FILES = ["docker-compose.yml", "deploy/s3.compose.yml"]

WRITABLE = {"temporal-ui": "its start writes its configuration beside its program"}
"""Services whose root file system can be written, and why."""
UNCHECKED = {
    "otel-collector": "the image holds no program beside the collector",
    "jaeger": "the image holds no program beside Jaeger",
}
"""Services that run on without a health check, and why."""


@pytest.mark.parametrize("name", COMPOSE_FILES)
def test_the_file_follows_the_compose_specification(name: str) -> None:
    document = yaml.safe_load(with_defaults((CHECKOUT / name).read_text()))
    problems = [
        f"{'/'.join(map(str, error.instance_path))}: {error.message}"
        for error in jsonschema_rs.validator_for(SPECIFICATION).iter_errors(document)
    ]
    assert problems == []


def test_the_check_finds_a_misspelt_key() -> None:
    document = {"services": {"starter": {"image": "a:1", "read_onyl": True}}}
    assert not jsonschema_rs.validator_for(SPECIFICATION).is_valid(document)


def test_every_part_of_a_deployment_is_there() -> None:
    always = {name for name, service in SERVICES.items() if "profiles" not in service}
    assert always == {
        "postgresql",
        "temporal-schema",
        "temporal",
        "bootstrap",
        "starter",
        "worker",
        "temporal-ui",
    }
    by_profile: dict[str, set[str]] = {}
    for name, service in SERVICES.items():
        for profile in service.get("profiles", []):
            by_profile.setdefault(profile, set()).add(name)
    assert by_profile == {
        "odoo": {"odoo-postgresql", "odoo-database", "odoo"},
        "demo": {"image-service"},
        "observability": {"prometheus", "grafana", "otel-collector", "jaeger"},
    }


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_pinned_to_a_release(name: str) -> None:
    _, _, tag = SERVICES[name]["image"].partition(":")
    # PostgreSQL's releases have two numbers, Odoo's images a date.
    assert re.fullmatch(r"v?\d+\.\d+\.\d+|17\.\d+-bookworm|19\.0-\d{8}", tag)


def test_our_image_carries_the_release_of_the_project() -> None:
    project = (CHECKOUT / "pyproject.toml").read_text()
    (release,) = re.findall(r'^version = "(.+)"$', project, re.MULTILINE)
    assert {SERVICES[name]["image"] for name in OURS} == {f"odoo-image-orchestrator:{release}"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_without_privileges(name: str) -> None:
    service = SERVICES[name]
    user = str(service["user"])
    assert user not in {"", "root"}
    assert not user.startswith("0")
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"privileged", "cap_add", "devices", "pid", "ipc", "network_mode"} & set(service) == set()


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_writes_to_volumes_and_memory_only(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is (name not in WRITABLE)
    mounts = [str(mount).split(":") for mount in service.get("volumes", [])]
    of_the_host = [mount for mount in mounts if mount[0].startswith(".")]
    assert [mount for mount in of_the_host if mount[2:] != ["ro"]] == []
    assert {mount[0] for mount in mounts if mount not in of_the_host} <= set(COMPOSE["volumes"])
    assert [mount for mount in of_the_host if not (CHECKOUT / mount[0]).exists()] == []


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_checked_limited_and_started_again(name: str) -> None:
    service = SERVICES[name]
    assert runs_once(service) or service["restart"] == "unless-stopped"
    assert ("healthcheck" in service) is not (runs_once(service) or name in UNCHECKED)
    limits = service["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    assert service["logging"]["driver"] == "json-file"
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_until_what_it_needs_is_ready(name: str) -> None:
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        if runs_once(SERVICES[other]):
            wanted = "service_completed_successfully"
        else:
            wanted = "service_started" if other in UNCHECKED else "service_healthy"
        assert (other, wait["condition"]) == (other, wanted)


def test_starter_and_worker_wait_for_the_bootstrap() -> None:
    assert SERVICES["bootstrap"]["command"] == ["bootstrap"]
    for name in ("starter", "worker"):
        assert "bootstrap" in SERVICES[name]["depends_on"]


def test_nothing_is_reached_from_beyond_this_host() -> None:
    ports = [with_defaults(port) for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 6
    assert [port for port in ports if not re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)] == []


def test_databases_and_temporal_have_no_way_out() -> None:
    inside = {name for name, network in COMPOSE["networks"].items() if (network or {}).get("internal")}
    for name in ("postgresql", "odoo-postgresql", "temporal", "temporal-schema", "bootstrap"):
        assert set(SERVICES[name]["networks"]) <= inside


def test_every_secret_is_a_file_that_somebody_needs() -> None:
    assert all(set(secret) == {"file"} for secret in COMPOSE["secrets"].values())
    used = {name for service in SERVICES.values() for name in service.get("secrets", [])}
    assert used == set(COMPOSE["secrets"])


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_stands_in_an_environment(name: str) -> None:
    environment: dict[str, Any] = SERVICES[name].get("environment", {})
    named = [key for key in environment if re.search("PASSWORD|SECRET|TOKEN|KEY|PWD", key)]
    assert [key for key in named if "/run/secrets/" not in environment[key]] == []
    given = {re.sub(r"^.*/", "", environment[key]) for key in named}
    assert given <= set(SERVICES[name].get("secrets", []))


def test_the_file_documents_its_variables() -> None:
    documented = re.findall(r"^#   ([A-Z_]+) ", TEXT, re.MULTILINE)
    assert set(documented) == set(re.findall(r"(?<!\$)\$\{(\w+)", TEXT))
    assert len(documented) == len(set(documented))


@pytest.mark.parametrize("name", sorted(OURS - {"image-service"}))
def test_only_settings_that_exist_are_set(name: str) -> None:
    overlay = yaml.safe_load((CHECKOUT / "deploy" / "s3.compose.yml").read_text())["services"]
    prefix = "ORCHESTRATOR__"
    environment = {**SERVICES[name]["environment"], **overlay[name]["environment"]}
    keys = [key.removeprefix(prefix) for key in environment if key.startswith(prefix)]
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
    assert seconds(SERVICES["worker"]["stop_grace_period"]) > Settings().worker.shutdown_grace_s
