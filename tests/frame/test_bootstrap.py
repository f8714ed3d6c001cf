"""The launcher and its set-up, on a copy of the files they need: real environments, a stub command line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
COMMAND_LINE = """
import json, os, sys, time
facts = {"arguments": sys.argv[1:], "prefix": sys.prefix, "path": sys.path}
print(json.dumps({**facts, "cwd": os.getcwd(), "pid": os.getpid()}), flush=True)
time.sleep(60 if "sleep" in sys.argv else 0)
sys.exit(7 if "seven" in sys.argv else 0)
"""
UNREACHABLE = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:9/"}
LOCKS = {"requirements.lock": "# runtime\n", "requirements-dev.lock": "# dev\n"}
A_PACKAGE = f"no-such-package==1.0 --hash=sha256:{'0' * 64}\n"
CANDIDATES = ("python3.13", "python3.12", "python3.11", "python3", "python")


class Checkout:
    """The launcher, two locks without packages, and a stub command line that tells what it got."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.launcher = root / "orchestrator"
        self.environment = root / ".venv"
        self.log = root / ".venv.log"
        (root / "scripts").mkdir(parents=True)
        (root / "operations").mkdir()
        (root / "operations" / "__main__.py").write_text(COMMAND_LINE)
        shutil.copy(CHECKOUT / "orchestrator", root)
        shutil.copy(CHECKOUT / "scripts" / "bootstrap.py", root / "scripts")
        self.lock()

    def lock(self, more: str = "") -> None:
        for name, text in LOCKS.items():
            (self.root / name).write_text(text + more)

    def start(
        self, *arguments: str, launcher: Path | None = None, cwd: Path | None = None, **environment: str
    ) -> subprocess.Popen[str]:
        """Start it with this interpreter and little else in its environment: there is no HOME."""
        variables = {"PATH": os.environ["PATH"], "ORCHESTRATOR_PYTHON": sys.executable, **environment}
        command = [str(launcher or self.launcher), *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=cwd, env=variables, stdout=pipe, stderr=pipe, text=True)

    def run(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """Exit code, output and errors."""
        return finish(self.start(*arguments, launcher=None, cwd=None, **environment))


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    with process:
        output, errors = process.communicate()
    return process.returncode, output, errors


def facts(output: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(output)
    return found


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout whose environment two starts at once have made."""
    checkout = Checkout(tmp_path_factory.mktemp("made") / "a b")
    processes = [checkout.start("one"), checkout.start("two")]
    results = [finish(process) for process in processes]
    assert [code for code, _, _ in results] == [0, 0], results
    assert sum("setting up" in errors for _, _, errors in results) == 1
    return checkout


@pytest.fixture
def relocked(made: Checkout) -> Iterator[Checkout]:
    """The same, for tests that change the locks."""
    yield made
    made.lock()
    made.run()


@pytest.fixture
def bare(tmp_path: Path) -> Checkout:
    """A checkout without an environment."""
    return Checkout(tmp_path / "bare")


def test_a_made_environment_is_entered_in_silence(made: Checkout) -> None:
    code, output, errors = made.run("run", "two words", "")
    assert (code, errors) == (0, "")
    assert facts(output)["arguments"] == ["run", "two words", ""]
    assert facts(output)["prefix"] == str(made.environment)


def test_the_exit_code_is_the_command_lines(made: Checkout) -> None:
    assert made.run("seven")[0] == 7


def test_a_signal_reaches_the_command_line(made: Checkout) -> None:
    with made.start("sleep") as process:
        assert process.stdout is not None
        assert facts(process.stdout.readline())["pid"] == process.pid
        process.send_signal(signal.SIGTERM)
    assert process.returncode == -signal.SIGTERM


def test_it_works_through_a_symlink_from_elsewhere(made: Checkout, tmp_path: Path) -> None:
    (tmp_path / "absolute").symlink_to(made.launcher)
    (tmp_path / "relative").symlink_to("absolute")
    code, output, errors = finish(made.start(launcher=tmp_path / "relative", cwd=tmp_path))
    assert (code, errors, facts(output)["cwd"]) == (0, "", str(tmp_path))


def test_the_working_directory_lends_no_modules(made: Checkout, tmp_path: Path) -> None:
    (tmp_path / "operations").mkdir()
    (tmp_path / "operations" / "__main__.py").write_text("raise SystemExit('the wrong one')")
    code, output, _ = finish(made.start(cwd=tmp_path, PYTHONPATH="inherited"))
    assert code == 0
    assert facts(output)["path"][0] == str(made.root)
    assert str(tmp_path) not in facts(output)["path"]
    assert any(entry.endswith("inherited") for entry in facts(output)["path"])


def test_a_changed_lock_is_installed_once(relocked: Checkout) -> None:
    relocked.lock("# changed\n")
    assert "setting up" in relocked.run()[2]
    assert relocked.run()[2] == ""


def test_the_tests_get_the_dev_lock_and_it_stays(made: Checkout) -> None:
    made.run("test")
    assert "requirements-dev.lock" in (made.environment / "orchestrator.stamp").read_text()
    assert made.run("run")[2] == ""


def test_without_network_a_made_environment_stays_as_it_was(relocked: Checkout) -> None:
    relocked.lock(A_PACKAGE)
    code, _, errors = relocked.run(**UNREACHABLE)
    assert code == 1
    assert "no package index could be reached" in errors
    assert str(relocked.log) in errors
    assert "no-such-package" in relocked.log.read_text()
    relocked.lock()
    assert relocked.run()[::2] == (0, "")


def test_an_environment_without_its_interpreter_is_rebuilt(made: Checkout) -> None:
    (made.environment / "bin" / "python").unlink()
    code, output, errors = made.run()
    assert (code, facts(output)["prefix"]) == (0, str(made.environment))
    assert "setting up" in errors


def test_a_half_made_environment_is_rebuilt(bare: Checkout) -> None:
    bare.lock(A_PACKAGE)
    code, _, errors = bare.run(**UNREACHABLE)
    assert (code, len(errors.splitlines())) == (1, 2), errors
    leftover = bare.environment / "leftover"
    leftover.touch()
    bare.lock()
    assert bare.run()[0] == 0
    assert not leftover.exists()


def test_a_directory_that_is_no_environment_is_left_alone(bare: Checkout, tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    code, _, errors = bare.run(ORCHESTRATOR_VENV=str(tmp_path))
    assert code == 1
    assert "no virtual environment" in errors
    assert (tmp_path / "precious").exists()


def test_a_place_that_cannot_be_written_is_named(bare: Checkout) -> None:
    code, _, errors = bare.run(ORCHESTRATOR_VENV=f"{os.devnull}/venv")
    assert (code, len(errors.splitlines())) == (1, 1)
    assert f"{os.devnull}/venv.lock" in errors


def test_a_python_without_ensurepip_names_the_debian_package(bare: Checkout, tmp_path: Path) -> None:
    hide = "import runpy, sys; sys.modules['ensurepip'] = None; sys.argv = sys.argv[1:]; "
    run = "runpy.run_path(sys.argv[0], run_name='__main__')"
    lacking = program(
        tmp_path / "python",
        f'[ "$1" != -I ] || exec "{sys.executable}" "$@"\nexec "{sys.executable}" -c "{hide}{run}" "$@"',
    )
    code, _, errors = bare.run(ORCHESTRATOR_PYTHON=str(lacking))
    assert code == 1
    assert "apt install python3-venv" in errors
    assert "Traceback" not in errors


def test_a_chosen_python_that_is_too_old_is_named(bare: Checkout, tmp_path: Path) -> None:
    old = program(tmp_path / "old", "exit 1")
    code, _, errors = bare.run(ORCHESTRATOR_PYTHON=str(old))
    assert (code, errors) == (1, f"orchestrator: ORCHESTRATOR_PYTHON is no Python 3.11 or newer: {old}\n")


def test_shims_that_refuse_to_run_are_passed_over(made: Checkout, tmp_path: Path) -> None:
    for name in CANDIDATES:
        program(tmp_path / name, "echo 'command not found' >&2; exit 127")
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    code, _, errors = made.run(PATH=path, ORCHESTRATOR_PYTHON="")
    assert (code, len(errors.splitlines())) == (1, 1)
    assert "needs Python 3.11 or newer" in errors
    program(tmp_path / CANDIDATES[-1], f'exec "{sys.executable}" "$@"')
    assert made.run(PATH=path, ORCHESTRATOR_PYTHON="")[::2] == (0, "")
