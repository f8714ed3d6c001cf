"""The programs of bench/ can be started as docs/performance.md says: each reads its modules and not its neighbours'."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAMS = sorted(path for path in (CHECKOUT / "bench").glob("*.py") if "__main__" in path.read_text(encoding="utf-8"))
# As `python bench/run.py` does: its own directory first. Not as the main program, which would measure.
START = """
import runpy, sys
for program in sys.argv[1:]:
    sys.path[0] = program.rpartition("/")[0]
    runpy.run_path(program, run_name="started")
"""


def test_every_program_can_be_started(tmp_path: Path) -> None:
    assert {path.stem for path in PROGRAMS} == {"dead_letters", "limits", "odoo", "run"}
    done = subprocess.run(
        [sys.executable, "-c", START, *map(str, PROGRAMS)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
