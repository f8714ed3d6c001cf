"""The files that the stack mounts and the scripts that prepare it."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from runtime.configuration import load_settings
from tests.compose.stack import CHECKOUT, COMPOSE, SERVICES

SHELL_SCRIPTS = [
    "deploy/prepare",
    "deploy/odoo/configuration",
    "deploy/odoo/prepare-database",
    "deploy/odoo/serve",
    "deploy/temporal/setup-schema",
    "deploy/temporal/start-server",
]
FIRST = tomllib.loads((CHECKOUT / "deploy" / "orchestrator.toml").read_text())


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Where deploy/prepare can do what it does."""
    (tmp_path / "deploy").mkdir()
    for name in ("prepare", "orchestrator.toml"):
        shutil.copy(CHECKOUT / "deploy" / name, tmp_path / "deploy" / name)
    return tmp_path


def prepare(checkout: Path, **variables: str) -> str:
    """Run it; gives what it said."""
    environment = {"PATH": os.environ["PATH"], **variables}
    done = subprocess.run(
        [checkout / "deploy" / "prepare"], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout


def test_it_makes_every_secret_and_a_configuration(checkout: Path) -> None:
    said = prepare(checkout)
    made = {path.name: path.read_text() for path in (checkout / "deploy" / "secrets").iterdir()}
    assert set(made) == set(COMPOSE["secrets"])
    assert len(set(made.values())) == len(made)
    assert all(len(value) >= 32 for value in made.values())
    assert made["callback_secret"].startswith("whsec_")
    assert (checkout / "orchestrator.toml").read_bytes() == (CHECKOUT / "deploy" / "orchestrator.toml").read_bytes()
    assert not any(value in said for value in made.values())


def test_containers_can_read_a_secret_and_other_people_cannot(checkout: Path) -> None:
    prepare(checkout)
    directory = checkout / "deploy" / "secrets"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o644}


def test_what_is_there_stays(checkout: Path) -> None:
    own = checkout / "own"
    own.mkdir()
    (own / "api_token").write_text("mine")
    (own / "store_signing_key").touch()
    configuration = checkout / "own.toml"
    configuration.write_text("# mine\n")
    variables = {"SECRETS_DIR": str(own), "ORCHESTRATOR_TOML": str(configuration)}
    prepare(checkout, **variables)
    before = {path: path.read_text() for path in own.iterdir()}
    assert prepare(checkout, **variables) == ""
    assert {path: path.read_text() for path in own.iterdir()} == before
    assert (own / "api_token").read_text() == "mine"
    # An empty file is what an interrupted copy leaves, and no secret.
    assert (own / "store_signing_key").read_text() != ""
    assert configuration.read_text() == "# mine\n"


def test_the_first_configuration_is_valid() -> None:
    settings = load_settings(CHECKOUT / "deploy" / "orchestrator.toml")
    assert set(settings.routes) == {"odoo"}


def test_the_first_configuration_names_services_and_secrets_of_the_stack() -> None:
    text = (CHECKOUT / "deploy" / "orchestrator.toml").read_text()
    mounted = set(SERVICES["worker"]["secrets"])
    assert set(re.findall(r"file:/run/secrets/(\w+)", text)) <= mounted
    hosts = re.findall(r'base_url = "http://([\w-]+):(\d+)"', text)
    assert {host for host, _ in hosts} == {"odoo", "image-service"}
    assert ("image-service", SERVICES["image-service"]["command"][3]) in hosts


@pytest.fixture
def odoo_conf(tmp_path: Path) -> str:
    """What deploy/odoo/configuration writes, with each secret's name as its value."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in SERVICES["odoo"]["secrets"]:
        (secrets / name).write_text(f"value-of-{name}")
    script = (CHECKOUT / "deploy" / "odoo" / "configuration").read_text()
    script = script.replace("/run/secrets", str(secrets)).replace("/tmp/odoo.conf", str(tmp_path / "odoo.conf"))  # noqa: S108
    environment = {"PATH": os.environ["PATH"], "ODOO_DATABASE": "shop", "TEMPORAL_UI_PORT": "8088"}
    environment |= {"TEMPORAL_NAMESPACE": "images", "ODOO_PORT": "8069"}
    subprocess.run(["sh", "-c", script], env=environment, check=True)  # noqa: S607 - whichever sh there is
    assert stat.S_IMODE((tmp_path / "odoo.conf").stat().st_mode) == 0o600
    return (tmp_path / "odoo.conf").read_text()


def test_odoo_serves_one_database_and_hides_the_others(odoo_conf: str) -> None:
    assert "\ndb_name = shop\n" in odoo_conf
    assert "\ndbfilter = ^shop$\n" in odoo_conf
    assert "\nlist_db = False\n" in odoo_conf


def test_the_addon_is_set_up_for_the_first_configuration(odoo_conf: str) -> None:
    route = FIRST["routes"]["odoo"]
    assert f"\nai_image_bridge_webhook_path = {route['path']}\n" in odoo_conf
    assert f"\nai_image_bridge_dialect = {route['dialect']}\n" in odoo_conf
    assert f"\nai_image_bridge_callback_base_url = {FIRST['odoos']['main']['base_url']}\n" in odoo_conf
    for option, reference in (
        ("webhook_secret", route["auth"]["secret"]),
        ("callback_secret", route["callback"]["auth"]["secret"]),
        ("api_token", FIRST["api"]["auth"]["secret"]),
    ):
        assert f"\nai_image_bridge_{option} = value-of-{reference.rpartition('/')[2]}\n" in odoo_conf


@pytest.mark.parametrize("name", SHELL_SCRIPTS)
def test_a_script_reads_only_secrets_that_its_service_has(name: str) -> None:
    text = (CHECKOUT / name).read_text()
    subprocess.run(["sh", "-n", CHECKOUT / name], check=True)  # noqa: S607 - whichever sh there is
    users = [service for service in SERVICES.values() if name.split("/")[1] in str(service.get("volumes"))]
    read = {*re.findall(r"/run/secrets/(\w+)", text), *re.findall(r"\$\(secret (\w+)\)", text)}
    needing = [user for user in users if name.rpartition("/")[2] in str([user.get("entrypoint"), user.get("command")])]
    assert all(read <= set(user["secrets"]) for user in needing)


def test_every_mounted_script_is_there() -> None:
    seen = set()
    for service in SERVICES.values():
        for source, target in (str(mount).split(":")[:2] for mount in service.get("volumes", [])):
            words = " ".join([*(service.get("entrypoint") or []), *(service.get("command") or [])])
            named = re.findall(rf"{re.escape(target)}/([\w.-]+)", words) if source.startswith(".") else []
            seen |= {f"{source}/{name}" for name in named}
    assert [name for name in seen if not (CHECKOUT / name).is_file()] == []
    assert "./deploy/odoo/serve" in seen


def test_the_collector_passes_traces_to_jaeger() -> None:
    collector = yaml.safe_load((CHECKOUT / "deploy" / "otel" / "collector.yaml").read_text())
    pipeline = collector["service"]["pipelines"]["traces"]
    for kind in ("receivers", "processors", "exporters"):
        assert set(pipeline[kind]) <= set(collector[kind])
    assert collector["exporters"]["otlp/jaeger"]["endpoint"].partition(":")[0] in SERVICES
    limit = SERVICES["otel-collector"]["deploy"]["resources"]["limits"]["memory"]
    assert collector["processors"]["memory_limiter"]["limit_mib"] < int(limit.removesuffix("m"))


def test_stand_ins_can_be_made_for_all_images_but_grafanas() -> None:
    script = (CHECKOUT / "scripts" / "stand-in-images").read_text()
    stood_in = set(re.findall(r"tag_of ([\w/-]+)\)", script))
    upstream = {service["image"].partition(":")[0] for service in SERVICES.values() if "build" not in service}
    base = re.findall(r"^FROM (\w+):", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE)
    assert stood_in == (upstream | set(base)) - {"grafana/grafana"}
