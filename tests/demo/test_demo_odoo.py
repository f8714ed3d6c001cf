"""`demo --odoo` as a person runs it: the whole chain with a real Odoo; nothing of it outlives the demo."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from operations.odoo.bridge import REQUEST
from operations.odoo.installation import GET_ODOO
from operations.odoo.rpc import OdooClient

CHECKOUT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-P", "-m", "operations", "demo", "--odoo", "--requests", "1", "--latency", "0.1"]
LONGEST_S = 500

pytestmark = pytest.mark.timeout(LONGEST_S)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What the demo runs in; skips where there can be no Odoo."""
    got = subprocess.run([GET_ODOO], capture_output=True, text=True, check=False)
    if got.returncode:
        pytest.skip(f"NO REAL ODOO HERE, so nothing of it is proved: {got.stderr.strip()}")
    return {**os.environ, "PYTHONPATH": str(CHECKOUT), "ODOO_TARGET": got.stdout.strip()}


async def test_the_demo_with_odoo_until_it_is_killed(environment: dict[str, str], tmp_path: Path) -> None:
    inside = {**environment, "TMPDIR": str(tmp_path)}
    demo = await asyncio.create_subprocess_exec(
        *COMMAND, "--json", env=inside, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        said = await _said_until(demo, "Ctrl-C")
        url = re.search(r"Odoo\s+(http\S+)", said)
        assert url, said
        assert "admin, password admin" in said
        async with OdooClient(url[1], "demo") as odoo:
            in_odoo = await odoo.search(REQUEST, fields=("state", "image_count"))
        programs = _descendants(demo.pid)
        state = next(_state(each) for each in programs if "postgres" in _names(each))
        assert {"postgres", "odoo-bin", "temporal"} <= {name for each in programs for name in _names(each)}
    finally:
        demo.kill()
        answer, _ = await demo.communicate()
    document = json.loads(answer)
    assert document["requested"] == len(in_odoo) == 8
    assert (document["completed"], document["rejected"], document["images"]) == (7, 1, 7)
    assert all(one["state"] == one["expected"] for one in document["requests"])
    assert sum(one["image_count"] for one in in_odoo) == 7
    await _gone(programs)
    shutil.rmtree(state)


async def test_ctrl_c_while_odoo_starts_leaves_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    demo = await asyncio.create_subprocess_exec(
        *COMMAND, env={**environment, "TMPDIR": str(tmp_path)}, start_new_session=True
    )
    async with asyncio.timeout(60):
        while not any("postgres" in _names(each) for each in _descendants(demo.pid)):
            await asyncio.sleep(0.1)
    programs = _descendants(demo.pid)
    os.killpg(demo.pid, signal.SIGINT)
    assert await demo.wait() == 130
    await _gone(programs)
    assert not any(tmp_path.iterdir())  # noqa: ASYNC240 - everything has ended


def test_where_odoo_cannot_be_had_one_line_says_why(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(CHECKOUT),
        "ODOO_TARGET": str(tmp_path / "a"),
        "ODOO_MIRROR": "nowhere:",
    }
    done = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == "no real Odoo here: get-odoo: the Debian mirror nowhere: does not answer"


async def _said_until(process: asyncio.subprocess.Process, word: str) -> str:
    assert process.stderr
    said = ""
    async with asyncio.timeout(300):
        while word not in said:
            line = await process.stderr.readline()
            assert line, said
            said += line.decode()
    return said


def _descendants(pid: int) -> set[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = {int(each) for each in children.read_text().split()} if children.exists() else set[int]()
    return found.union(*(_descendants(each) for each in found))


def _names(pid: int) -> set[str]:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return set()
    return {Path(word).name for word in words[:2]}


def _state(postgres: int) -> Path:
    """Odoo's folder: what was killed cannot remove it."""
    words = Path(f"/proc/{postgres}/cmdline").read_text(encoding="utf-8").split("\0")
    return Path(words[words.index("-D") + 1]).parent


async def _gone(programs: set[int]) -> None:
    async with asyncio.timeout(60):
        while any(_names(each) for each in programs):
            await asyncio.sleep(0.1)
