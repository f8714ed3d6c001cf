"""What a supervisor refuses to take for its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from operations.supervisor import Program, StartError, Supervisor

FAILING = (sys.executable, "-c", "import sys; sys.exit('no such thing')")


def _answers_from(call: int) -> Program:
    """A program that fails, at an address where something answers from that look on."""
    looks = 0

    async def ready() -> bool:
        nonlocal looks
        looks += 1
        return looks >= call

    return Program("starter", FAILING, ready)


async def test_an_address_at_which_another_program_answers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="starter: another program answers at its address already"):
        await Supervisor(tmp_path).start(_answers_from(1))


async def test_a_program_that_fails_is_reported_with_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="starter ended with code 1: no such thing"):
        await Supervisor(tmp_path).start(_answers_from(1000))
