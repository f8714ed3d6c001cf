"""`test`: runs the checkout's tests."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import click

CHECKOUT = Path(__file__).resolve().parents[2]
_NEEDED = ("pytest", "pytest_asyncio", "pytest_randomly", "pytest_timeout", "hypothesis")


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...]) -> NoReturn:
    """Run the tests; what follows goes to pytest, as `test -k redrive`."""
    if not (CHECKOUT / "tests").is_dir():
        raise click.ClickException("the tests are not installed: run ./orchestrator test in a checkout")
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise click.ClickException(f"{missing[0]} is missing: run ./orchestrator test, which installs it")
    os.chdir(CHECKOUT)
    # -P: pytest's own settings say where the sources are.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "pytest", *arguments])
