"""The project's own declarations agree: pyproject, locks, image."""

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

CHECKOUT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
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
    (base,) = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    assert re.fullmatch(r"python:3\.13\.\d+-slim-trixie", base)
    assert re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)[-1] != "0"
    installs = [line for line in DOCKERFILE.splitlines() if "pip install" in line]
    assert [line for line in installs if not re.search("--require-hashes|--no-index", line)] == []
