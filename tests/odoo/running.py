"""Programs that a test starts, stops and kills itself, and real Odoos among them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from operations.odoo.installation import ADDONS, OdooHome
from operations.odoo.rpc import OdooClient
from operations.supervisor import Program
from runtime.embedded import free_ports
from tests.temporal_server import DIES_WITH_PARENT

PATIENCE_S = 90.0
PATIENT = {"ODOO_HTTP_SOCKET_TIMEOUT": "60"}
"""A worker process of Odoo hangs up on a caller that sends nothing for 2 s: a busy machine may be as slow as that."""


async def until(true: Callable[[], Awaitable[object]], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until it is true; raises `AssertionError` that says what is not."""
    try:
        async with asyncio.timeout(patience_s):
            while not await true():
                await asyncio.sleep(0.05)
    except TimeoutError:
        message = f"waited {patience_s:.0f} s in vain: {what}"
        raise AssertionError(message) from None


class Running:
    """A program that nobody restarts; it ends with this process, however that ends."""

    def __init__(self, program: Program, log: Path) -> None:
        self.program = replace(program, command=(*DIES_WITH_PARENT, *program.command))
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.program.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.program.whole_environment(),
                process_group=0,
            )
        await until(self._ready, f"{self.program.name} is not ready: {self._log}")

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def stop(self) -> None:
        """Let it end in order."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """Kill -9, the processes that it has made itself as well."""
        await self._end(signal.SIGKILL)

    async def _end(self, number: signal.Signals) -> None:
        if self._process is None or not self.runs:
            return
        if number is signal.SIGKILL:
            os.killpg(self._process.pid, number)
        else:
            self._process.send_signal(number)
        try:
            await asyncio.wait_for(self._process.wait(), 30)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _ready(self) -> bool:
        assert self.runs, (
            f"{self.program.name} ended: {self._log.read_text(encoding='utf-8', errors='replace')[-2000:]}"
        )
        return await self.program.ready()


@dataclass(frozen=True)
class RunningOdoo:
    """An Odoo on a database of its own. It may be stopped, killed and started again: port and data stay."""

    home: OdooHome
    database: str
    port: int
    process: Running
    admin: OdooClient

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it has logged."""
        return self.home.log(self.database).read_text(encoding="utf-8", errors="replace")

    async def start(self) -> None:
        """Start it where it does not run."""
        if not self.process.runs:
            await self.process.start()

    async def stop(self) -> None:
        """Stop it in order."""
        await self.process.stop()

    async def kill(self) -> None:
        """Kill -9."""
        await self.process.kill()

    async def sql(self, statement: str) -> str:
        """Run SQL past Odoo; gives the rows, columns apart by |."""
        command = self.home.command("psql", "-d", self.database, "--", "-v", "ON_ERROR_STOP=1", "-Atc", statement)
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @asynccontextmanager
    async def transaction(self, *statements: str) -> AsyncIterator[None]:
        """Hold a transaction open in which these statements ran; it is committed at the end."""
        process = await asyncio.create_subprocess_exec(
            *self.home.command("psql", "-d", self.database, "--", "-v", "ON_ERROR_STOP=1", "-At"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin
        assert process.stdout
        process.stdin.write("\n".join(["BEGIN;", *statements, r"\echo begun", ""]).encode())
        while (line := await process.stdout.readline()) != b"begun\n":
            assert line, f"psql ended: {statements}"
        try:
            yield
        finally:
            await process.communicate(b"COMMIT;\n")

    async def waits_for_a_lock(self) -> bool:
        """Whether a transaction of this database waits for another."""
        query = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{self.database}' AND wait_event_type = 'Lock'"  # noqa: S608
        return await self.sql(query) != "0"

    async def parameters(self, **values: str) -> None:
        """Set system parameters of the addon (ai_image_bridge.NAME)."""
        for name, value in values.items():
            await self.admin.call("ir.config_parameter", "set_param", f"ai_image_bridge.{name}", value)

    async def api_key(self, name: str = "test") -> str:
        """A new API key of the administrator, for JSON-2 or in place of the password."""
        script = (
            "from datetime import datetime, timedelta\n"
            "keys = env['res.users.apikeys'].with_user(env.ref('base.user_admin'))\n"
            f"print('KEY', keys._generate('rpc', {name!r}, datetime.now() + timedelta(30)))\n"
            "env.cr.commit()\n"
        )
        said = await self.shell(script)
        return next(line.split()[1] for line in said.splitlines() if line.startswith("KEY "))

    async def shell(self, script: str) -> str:
        """Run Python in Odoo's shell on the database; `env` is there. Gives what it printed."""
        command = self.home.command("shell", "-d", self.database, "-a", str(ADDONS))
        done = await asyncio.to_thread(
            subprocess.run, command, input=script, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout


class Odoos:
    """Makes Odoos on copies of the prepared databases."""

    def __init__(self, home: OdooHome) -> None:
        self.home = home
        self._count = 0

    async def new(self, template: str, *, workers: int = 0) -> RunningOdoo:
        """A running Odoo on a copy of a template: `stock`, or `bridge` with our addon."""
        self._count += 1
        database, (port,) = f"{template}_{self._count}", free_ports([0])
        await self.home.clone(template, database)
        program = replace(self.home.odoo(database, port, workers), environment=PATIENT)
        process = Running(program, self.home.state / f"{database}.out")
        odoo = RunningOdoo(self.home, database, port, process, OdooClient(f"http://127.0.0.1:{port}", database))
        await odoo.start()
        return odoo

    @asynccontextmanager
    async def running(self, template: str, **options: Any) -> AsyncIterator[RunningOdoo]:
        """The same, stopped at the end."""
        odoo = await self.new(template, **options)
        try:
            yield odoo
        finally:
            await odoo.admin.aclose()
            await odoo.kill()
