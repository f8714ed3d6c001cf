""".ci/run fails where a run proves less than it seems to: on a copy, with a launcher of our own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
(FLOOR,) = map(int, re.findall(r"^FLOOR=(\d+)$", (CHECKOUT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE))
PASSED = "<testcase classname='a' name='b'/>"
ENOUGH = PASSED * FLOOR
SKIPPED = "<testcase classname='a' name='skipped_one'><skipped/></testcase>"


def run_ci(folder: Path, cases: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    (folder / ".ci").mkdir()
    (folder / "temporary").mkdir()
    shutil.copy(CHECKOUT / ".ci" / "run", folder / ".ci")
    launcher = folder / "orchestrator"
    launcher.write_text(
        f"""#!/bin/sh
[ "$1" = test ] && [ -z "$(ls -A "$HOME")" ] || exit 90
mkdir -p "$ORCHESTRATOR_VENV/bin" && ln -s "{sys.executable}" "$ORCHESTRATOR_VENV/bin/python"
echo "<testsuites><testsuite>{cases}</testsuite></testsuites>" >"${{2#--junitxml=}}"
echo "=== closing line ==="
exit {code}
"""
    )
    launcher.chmod(0o755)
    environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(folder / "temporary")}
    return subprocess.run(
        [str(folder / ".ci" / "run")],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("cases", "code", "expected", "message"),
    [
        (ENOUGH, 0, 0, ""),
        (ENOUGH, 1, 1, ""),
        (ENOUGH + SKIPPED, 0, 1, "1 skipped, and none may be: a::skipped_one"),
        (PASSED * (FLOOR - 1), 0, 1, f"only {FLOOR - 1} tests ran"),
        ("", 5, 5, ""),
    ],
    ids=["passes", "failures", "skips", "too_few", "none"],
)
def test_the_verdict(tmp_path: Path, cases: str, code: int, expected: int, message: str) -> None:
    done = run_ci(tmp_path, cases, code)
    assert done.returncode == expected, done.stderr
    assert "=== closing line ===" in done.stdout
    assert message in done.stderr
    assert list((tmp_path / "temporary").iterdir()) == []
