"""`test`: runs the checkout's tests."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from importlib.util import find_spec
from pathlib import Path

import click

from operations.console import json_option, print_json

CHECKOUT = Path(__file__).resolve().parents[2]
_NEEDED = ("pytest", "pytest_asyncio", "pytest_randomly", "pytest_timeout", "hypothesis")


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@json_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...], *, as_json: bool) -> None:
    """Run the tests; what follows goes to pytest, as `test -k redrive`."""
    if not (CHECKOUT / "tests").is_dir():
        raise click.ClickException("the tests are not installed: run ./orchestrator test in a checkout")
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise click.ClickException(f"{missing[0]} is missing: run ./orchestrator test, which installs it")
    os.chdir(CHECKOUT)
    # -P: pytest's own settings say where the sources are.
    command = [sys.executable, "-P", "-m", "pytest", *arguments]
    if not as_json:
        os.execv(command[0], command)
    sys.exit(_summarised(command))


def _summarised(command: list[str]) -> int:
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "junit.xml"
        done = subprocess.run([*command, f"--junitxml={report}"], stdout=sys.stderr, check=False)
        counts = _counts(report) if report.exists() else {}
    print_json({**counts, "exit_code": done.returncode})
    return done.returncode


def _counts(report: Path) -> dict[str, int]:
    suites = list(ET.parse(report).iter("testsuite"))  # noqa: S314 - pytest wrote it just now
    return {
        name: sum(int(suite.get(name, 0)) for suite in suites) for name in ("tests", "failures", "errors", "skipped")
    }
