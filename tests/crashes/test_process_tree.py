"""`up` and `demo` as process trees: nothing outlives its parent, Ctrl-C ends all in order, the dead are replaced."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from operations.demo.configuration import DemoFiles
from operations.demo.requests import webhook_headers
from tests.crashes.orders import PAID, SLOW, Order, orders, until
from tests.crashes.site import SLOW_FAULT
from tests.operations.commandline import CHECKOUT

UP = ("up", "--free-ports")
PROGRAMS = 5
"""Temporal, image service, receiver, worker, starter."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A command and the programs that it runs."""

    parent: asyncio.subprocess.Process
    directory: Path

    def children(self) -> set[int]:
        """The process ids of its living children."""
        return {pid for pid in _processes() if _parent(pid) == self.parent.pid}

    def worker(self) -> int | None:
        """The process id of the worker, if it runs."""
        return next((pid for pid in self.children() if _command(pid)[-1] == "worker"), None)

    async def complete(self) -> set[int]:
        """Wait until all programs run; gives their process ids."""

        async def all_run() -> bool:
            assert self.parent.returncode is None, f"it ended: {self._said()}"
            return len(self.children()) == PROGRAMS

        await until(all_run, "not all programs were started")
        return self.children()

    async def ready(self) -> None:
        """Wait until `up` says that all is ready."""

        async def said_so() -> bool:
            assert self.parent.returncode is None, f"it ended: {self._said()}"
            return "Ctrl-C stops everything" in self._said()

        await until(said_so, "`up` did not become ready")

    async def post(self, order: Order) -> None:
        """Post a request to the route of `up`'s own configuration."""
        headers = webhook_headers(order.route, self._files.read_secret("webhook"))
        url = f"{self._configured('starter', 'public_base_url')}/webhook/{order.route.path}"
        await _http("POST", url, json=order.body, headers=headers)

    async def image_service(self, method: str, path: str, **more: Any) -> Any:
        """Ask the local image service."""
        return await _http(method, self._configured("services", "flux", "base_url") + path, **more)

    async def arrives(self, order: Order) -> None:
        """Wait until the receiver has the image."""

        async def received() -> bool:
            report = await _http("GET", self._configured("odoos", "demo", "base_url") + "/received")
            return [one["status"] for one in report["outcomes"] if one["request_id"] == order.request_id] == [
                "completed"
            ]

        await until(received, f"the image of {order.request_id} did not arrive once")

    @property
    def _files(self) -> DemoFiles:
        return DemoFiles(self.directory / "var")

    def _configured(self, *path: str) -> str:
        value: Any = tomllib.loads(self._files.config.read_text(encoding="utf-8"))
        for name in path:
            value = value[name]
        return str(value)

    def _said(self) -> str:
        return (self.directory / "said").read_text(encoding="utf-8")


Launch = Callable[..., Awaitable[Tree]]


@pytest.fixture
async def launch(tmp_path: Path) -> AsyncIterator[Launch]:
    """Starts a command as the leader of a process group, as a shell does."""
    trees: list[Tree] = []
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ORCHESTRATOR", "TEMPORAL_"))}

    async def start(*command: str) -> Tree:
        with (tmp_path / "said").open("wb") as said:
            parent = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "operations", *command),
                cwd=tmp_path,
                env={**clean, "PYTHONPATH": str(CHECKOUT), "TMPDIR": str(tmp_path)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        trees.append(Tree(parent, tmp_path))
        return trees[-1]

    yield start
    for tree in trees:
        if tree.parent.returncode is None:
            tree.parent.terminate()
            await tree.parent.wait()


@pytest.mark.parametrize("command", [UP, ("demo", "--exit")], ids=["up", "demo"])
async def test_no_program_outlives_a_parent_that_was_killed(launch: Launch, command: tuple[str, ...]) -> None:
    tree = await launch(*command)
    programs = await tree.complete()
    tree.parent.kill()
    await tree.parent.wait()
    await _gone(programs)


async def test_a_killed_worker_is_started_again_and_ctrl_c_ends_everything(launch: Launch) -> None:
    tree = await launch(*UP)
    await tree.ready()
    killed = tree.worker()
    assert killed is not None, "no worker runs"
    os.kill(killed, signal.SIGKILL)

    async def replaced() -> bool:
        return tree.worker() not in {None, killed}

    await until(replaced, "the worker was not started again")
    (order,) = orders(PAID, "a lighthouse", 1)
    await tree.post(order)
    await tree.arrives(order)
    await _interrupted(tree)


async def test_ctrl_c_lets_a_call_finish_and_the_next_start_goes_on_from_there(launch: Launch) -> None:
    first = await launch(*UP)
    await first.ready()
    await first.image_service("POST", "/faults", json=[SLOW_FAULT])
    (order,) = orders(PAID, SLOW, 1)
    await first.post(order)

    async def called() -> bool:
        return any((first.directory / "var" / "images").glob("requests/**/marker.json"))

    await until(called, "the image service was not called")
    await _interrupted(first)
    second = await launch(*UP)
    await second.ready()
    await second.arrives(order)
    journal = await second.image_service("GET", "/journal")
    assert not journal["calls"], f"the image was made before Ctrl-C, but the service was called again: {journal}"
    await _interrupted(second)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_demo_that_is_still_starting_ends_at_once(launch: Launch, number: signal.Signals) -> None:
    tree = await launch("demo", "--exit")

    async def begun() -> bool:
        return bool(tree.children())

    await until(begun, "no program was started")
    await _interrupted(tree, number, code=130)
    assert not list(tree.directory.glob("orchestrator-demo-*")), "it left its directory"


async def test_a_demo_that_is_posting_ends_before_all_is_settled(launch: Launch) -> None:
    tree = await launch("demo", "--latency", "2", "--requests", "20")

    async def called() -> bool:
        return any(tree.directory.glob("orchestrator-demo-*/images/requests/**/marker.json"))

    await until(called, "the image service was not called")
    await _interrupted(tree, code=130)
    assert not list(tree.directory.glob("orchestrator-demo-*")), "it left its directory"


async def _interrupted(tree: Tree, number: signal.Signals = signal.SIGINT, *, code: int = 0) -> None:
    """Press Ctrl-C: the whole process group gets the signal."""
    programs = tree.children()
    os.killpg(tree.parent.pid, number)
    ended = await tree.parent.wait()
    assert ended == code, f"it ended with code {ended}"
    await _gone(programs)


async def _gone(programs: set[int]) -> None:
    async def all_gone() -> bool:
        return not any(_parent(pid) is not None for pid in programs)

    try:
        await until(all_gone, f"programs outlived their parent: {[_command(pid) for pid in programs]}")
    finally:
        for pid in (pid for pid in programs if _parent(pid) is not None):
            os.kill(pid, signal.SIGKILL)


async def _http(method: str, url: str, **more: Any) -> Any:
    async with httpx.AsyncClient(trust_env=False, timeout=15.0) as http:
        answer = await http.request(method, url, **more)
    assert answer.is_success, f"{method} {url}: {answer.status_code} {answer.text}"
    return answer.json()


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _parent(pid: int) -> int | None:
    """The parent of a process, or None where it has ended."""
    try:
        state, parent, *_ = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if state == "Z" else int(parent)


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").rstrip("\0").split("\0")
    except OSError:
        return [""]
