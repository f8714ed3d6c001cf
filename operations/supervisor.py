"""Child processes that belong together: started until ready, started again when they die, stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

START_S = 60.0
"""Seconds a program has to become ready."""
STOP_S = 20.0
"""Seconds a program has to end after SIGTERM before it is killed, unless it says otherwise."""
RESTART_S = 1.0
"""Seconds between the death of a program and its next start."""
_PR_SET_PDEATHSIG = 1


class StartError(Exception):
    """A program did not start. The message says which, why and where its log is."""


@dataclass(frozen=True, slots=True)
class Program:
    """One child process."""

    name: str
    command: tuple[str, ...]
    ready: Callable[[], Awaitable[bool]]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Beside the parent's."""
    stop_s: float = STOP_S
    """Seconds it has to end after SIGTERM before it is killed."""
    without: tuple[str, ...] = ()
    """How the names of the parent's variables begin that it does not get, in upper case."""

    def whole_environment(self) -> dict[str, str]:
        """The variables that it runs with: the parent's but those of `without`, then its own."""
        inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(self.without)}
        return {**inherited, **self.environment}


class Supervisor:
    """Runs programs; Ctrl-C reaches only the parent, whose death, however sudden, ends them too (Linux)."""

    def __init__(self, log_directory: Path) -> None:
        self._logs = log_directory
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._stop_s: dict[str, float] = {}
        self._watchers: list[asyncio.Task[None]] = []

    async def start(self, program: Program) -> None:
        """Start a program, wait until it is ready, keep it running; raises `StartError`."""
        self._logs.mkdir(parents=True, exist_ok=True)
        if await program.ready():
            raise StartError(f"{program.name}: another program answers at its address already: stop that one first")
        process = await self._spawn(program)
        end = asyncio.get_running_loop().time() + START_S
        while process.returncode is not None or not await program.ready():
            if process.returncode is not None or asyncio.get_running_loop().time() > end:
                raise StartError(self._why(program, process))
            await asyncio.sleep(0.05)
        self._watchers.append(asyncio.create_task(self._keep_running(program)))

    async def stop(self) -> None:
        """Stop the programs, the last started first."""
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        for name, process in reversed(list(self._running.items())):
            await _end(process, self._stop_s[name])

    def pid(self, name: str) -> int:
        """The process id of a program."""
        return self._running[name].pid

    async def _spawn(self, program: Program) -> asyncio.subprocess.Process:
        with self._log(program).open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *program.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=program.whole_environment(),
                # Ctrl-C reaches a whole group at once; the parent stops its children in order instead.
                process_group=0,
                preexec_fn=_end_with(os.getpid()),
            )
        self._running[program.name], self._stop_s[program.name] = process, program.stop_s
        return process

    async def _keep_running(self, program: Program) -> None:
        while True:
            await self._running[program.name].wait()
            await asyncio.sleep(RESTART_S)
            await self._spawn(program)

    def _why(self, program: Program, process: asyncio.subprocess.Process) -> str:
        log = self._log(program)
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = lines[-1][:300] if lines else "it wrote nothing"
        state = "did not become ready" if process.returncode is None else f"ended with code {process.returncode}"
        return f"{program.name} {state}: {last} (log: {log})"

    def _log(self, program: Program) -> Path:
        return self._logs / f"{program.name}.log"


async def _end(process: asyncio.subprocess.Process, stop_s: float) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), stop_s)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _end_with(parent: int) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def before_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return before_exec
