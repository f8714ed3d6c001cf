"""A real Odoo and its PostgreSQL below a folder of their own; their programs end with their parent."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from operations.supervisor import Program

_CHECKOUT = Path(__file__).resolve().parents[2]
GET_ODOO, RUN_ODOO = _CHECKOUT / "tests" / "odoo" / "get-odoo", _CHECKOUT / "tests" / "odoo" / "run-odoo"
ADDONS = _CHECKOUT / "odoo_addons"
ADDON = "ai_image_bridge"
STOCK = "stock"
"""The database that every new cluster holds: base, web, mail and base_automation, none of ours."""
LOGIN = PASSWORD = "admin"  # noqa: S105 - what a new Odoo has
_LONGEST_STATE = 60
"""Characters of a folder of temporary files below which a socket's path is short enough."""


class OdooMissingError(Exception):
    """There can be no real Odoo here. The message says why in one line."""


async def get_odoo() -> None:
    """Make sure that a runnable Odoo is there: takes half a minute the first time. Raises `OdooMissingError`."""
    if not GET_ODOO.exists():
        raise OdooMissingError("the scripts that get Odoo are not installed: run this in a checkout")
    await _run(str(GET_ODOO))


@dataclass(frozen=True, slots=True)
class OdooHome:
    """A PostgreSQL cluster, and the databases, files and logs of the Odoos that use it."""

    state: Path

    @classmethod
    async def new(cls) -> OdooHome:
        """A new home below the folder of temporary files, with database `stock`. Raises `OdooMissingError`."""
        folder = tempfile.gettempdir()
        # A PostgreSQL that root starts runs as somebody else, who must be able to reach the folder.
        reachable = len(folder) <= _LONGEST_STATE and all(path.stat().st_mode & 1 for path in _and_above(Path(folder)))
        home = cls(Path(tempfile.mkdtemp(prefix="odoo-", dir=folder if reachable else "/tmp")))  # noqa: S108
        try:
            await _run(*home.command("new"))
        except BaseException:
            home.remove()
            raise
        return home

    def remove(self) -> None:
        """Delete everything; nothing may run here any more."""
        shutil.rmtree(self.state, ignore_errors=True)

    def command(self, *arguments: str) -> tuple[str, ...]:
        """A command of run-odoo on this home."""
        name, *options = arguments
        return (str(RUN_ODOO), name, "-s", str(self.state), *options)

    async def clone(self, source: str, database: str) -> None:
        """Copy a database that nobody uses."""
        await _run(*self.command("clone", "-f", source, "-d", database))

    async def install(self, database: str, modules: str) -> None:
        """Install modules (by comma) into a database that nobody uses."""
        await _run(*self.command("install", "-d", database, "-i", modules, "-a", str(ADDONS)))

    async def upgrade(self, database: str, modules: str) -> None:
        """Upgrade modules (by comma) of a database that nobody uses."""
        await _run(*self.command("upgrade", "-d", database, "-i", modules, "-a", str(ADDONS)))

    def postgres(self) -> Program:
        """The program of the cluster."""
        return Program("postgres", self.command("postgres"), self._accepts)

    def odoo(self, database: str, port: int, workers: int = 0) -> Program:
        """The program of an Odoo on that database and port; no workers = one process with threads."""
        options = ("-d", database, "-p", str(port), "-w", str(workers), "-a", str(ADDONS))
        return Program("odoo", self.command("serve", *options), answers(f"http://127.0.0.1:{port}/web/login"))

    def log(self, database: str) -> Path:
        """The log of the Odoo on that database."""
        return self.state / f"{database}.log"

    async def _accepts(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(self.state / "socket" / ".s.PGSQL.5432")
        except OSError:
            return False
        writer.close()
        return True


def answers(url: str) -> Callable[[], Awaitable[bool]]:
    """Tells whether that page is there."""

    async def ready() -> bool:
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=30.0) as http:
                return (await http.get(url)).is_success
        except httpx.HTTPError:
            return False

    return ready


def _and_above(folder: Path) -> tuple[Path, ...]:
    return (folder, *folder.parents)


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        process_group=0,
    )
    try:
        _, said = await process.communicate()
    except asyncio.CancelledError:
        # The group: the script has children of its own, and cleans up after itself.
        os.killpg(process.pid, signal.SIGTERM)
        await process.communicate()
        raise
    if process.returncode:
        lines = said.decode(errors="replace").strip().splitlines()
        raise OdooMissingError(lines[-1] if lines else f"{Path(command[0]).name} ended with {process.returncode}")
