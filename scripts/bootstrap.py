"""Makes the virtual environment, once, and runs `python -m operations` in it.

Standard library only: this runs on the user's own Python, before anything is installed. The environment is
`.venv` in the checkout, or the directory that ORCHESTRATOR_VENV names. A stamp in it names the lock file that
it was made from, so a start that finds the stamp current costs nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

CHECKOUT = Path(__file__).resolve().parent.parent
RUNTIME_LOCK = "requirements.lock"
DEV_LOCK = "requirements-dev.lock"

_NETWORK = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|Connection refused"
    r"|Network is unreachable|Temporary failure in name resolution|Max retries exceeded",
)
_REMEDIES = (
    (re.compile("DO NOT MATCH THE HASHES"), "a downloaded package is not the one that the lock file names"),
    (_NETWORK, "no package index could be reached: check the network or pip's index settings"),
    (re.compile("No matching distribution found"), "a package is not to be had for this Python and platform"),
    (re.compile("No space left on device"), "the disk is full"),
)


class SetupError(Exception):
    """The environment cannot be made; the message is one line that says what to do."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment at `root`, with its stamp inside and its lock and log beside it."""

    root: Path

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.root / "bin" / "python"

    @property
    def stamp(self) -> Path:
        """Written last: an environment without it is half made."""
        return self.root / "orchestrator.stamp"

    @property
    def mutex(self) -> Path:
        """The file whose exclusive lock lets one process at a time change the environment."""
        return self.root.with_name(self.root.name + ".lock")

    @property
    def log(self) -> Path:
        """What venv and pip said in the last set-up."""
        return self.root.with_name(self.root.name + ".log")

    def stamped(self) -> list[str]:
        """The stamp's lines: identity, lock name, lock digest; empty if there is none."""
        try:
            return self.stamp.read_text(encoding="utf-8").splitlines()
        except OSError:
            return []

    def identity(self) -> str:
        """Changes when the environment was moved or the Python under it is another one.

        The Python that started us has no part in it: users with different PATHs would rebuild in turns.
        """
        return f"{self.root} {self.python.resolve()}"

    def sound(self) -> bool:
        """Whether a finished set-up left it and it can still run."""
        return self.python.exists() and self.stamped()[:1] == [self.identity()]

    def holds(self, lock: Path) -> bool:
        """Whether it is sound and has exactly what the lock file names."""
        return self.sound() and self.stamped()[1:] == [lock.name, _digest(lock)]


def main(arguments: Sequence[str]) -> int:
    """Replace this process by the command line in its environment; return an exit code only on failure."""
    environment = Environment(_root())
    try:
        ensure(environment, wants_dev=arguments[:1] == ["test"])
        _execute(environment, arguments)
    except (SetupError, OSError) as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        _say("set-up interrupted")
        return 130


def ensure(environment: Environment, *, wants_dev: bool) -> None:
    """Leave the environment holding the wanted lock; safe to run twice at once.

    Raises:
        SetupError: it cannot be made.
    """
    if environment.holds(_wanted(environment, wants_dev=wants_dev)):
        return
    with _exclusive(environment):
        lock = _wanted(environment, wants_dev=wants_dev)
        if not environment.holds(lock):
            _install(environment, lock)


def _root() -> Path:
    return Path(os.environ.get("ORCHESTRATOR_VENV") or CHECKOUT / ".venv").expanduser().resolve()


def _wanted(environment: Environment, *, wants_dev: bool) -> Path:
    """The dev lock contains the runtime's, so an environment that has it keeps it."""
    has_dev = environment.sound() and environment.stamped()[1:2] == [DEV_LOCK]
    return CHECKOUT / (DEV_LOCK if wants_dev or has_dev else RUNTIME_LOCK)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def _exclusive(environment: Environment) -> Iterator[None]:
    try:
        environment.root.parent.mkdir(parents=True, exist_ok=True)
        handle = environment.mutex.open("w", encoding="utf-8")
    except OSError as error:
        raise SetupError(
            f"cannot write {environment.mutex} ({error.strerror}): name a writable place in ORCHESTRATOR_VENV"
        ) from error
    with handle:
        # pip inherits the lock: killing us leaves it locked until pip has ended too.
        os.set_inheritable(handle.fileno(), True)  # noqa: FBT003 - positional-only
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _install(environment: Environment, lock: Path) -> None:
    _say(f"setting up {environment.root} (once)")
    environment.log.write_bytes(b"")
    if not environment.sound():
        _create(environment)
    wheels = environment.root / "download"
    # Downloading first leaves a sound environment untouched when the network fails.
    _pip(environment, lock, "download", "--dest", str(wheels))
    environment.stamp.unlink(missing_ok=True)
    _pip(environment, lock, "install", "--no-index", "--find-links", str(wheels))
    for wheel in wheels.iterdir():
        wheel.unlink()
    wheels.rmdir()
    lines = (environment.identity(), lock.name, _digest(lock))
    environment.stamp.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _create(environment: Environment) -> None:
    missing = [name for name in ("venv", "ensurepip") if find_spec(name) is None]
    if missing:
        raise SetupError(
            f"{sys.executable} lacks the module {missing[0]}: on Debian or Ubuntu, apt install python3-venv"
        )
    root = environment.root
    if root.exists() and not (root.is_dir() and (not any(root.iterdir()) or (root / "pyvenv.cfg").exists())):
        raise SetupError(f"{root} is in the way and no virtual environment: remove it, or set ORCHESTRATOR_VENV")
    _run(environment, [sys.executable, "-I", "-m", "venv", "--clear", str(root)])


def _pip(environment: Environment, lock: Path, action: str, *options: str) -> None:
    """Isolated: a PYTHONPATH must not pass for an installed package. Wheels only: no compiler is needed."""
    always = ("--no-input", "--disable-pip-version-check", "--progress-bar=off")
    exact = ("--require-hashes", "--no-deps", "--only-binary=:all:", "--retries=2", "-r", str(lock))
    _run(environment, [str(environment.python), "-I", "-m", "pip", action, *always, *exact, *options])


def _run(environment: Environment, command: Sequence[str]) -> None:
    with environment.log.open("ab") as log:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=False, check=False)
    if done.returncode:
        text = environment.log.read_text(encoding="utf-8", errors="replace")
        raise SetupError(f"set-up failed: {_remedy(text)}; details in {environment.log}")


def _remedy(text: str) -> str:
    """What the tools' output says in the end, as a person would put it."""
    known = (remedy for pattern, remedy in _REMEDIES if pattern.search(text))
    return next(known, "venv or pip stopped with an error")


def _execute(environment: Environment, arguments: Sequence[str]) -> NoReturn:
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(CHECKOUT), *([inherited] if inherited else [])])
    # -P: the directory we are started in must not lend us a module of the same name.
    os.execv(environment.python, [str(environment.python), "-P", "-m", "operations", *arguments])


def _say(line: str) -> None:
    sys.stderr.write(f"orchestrator: {line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
