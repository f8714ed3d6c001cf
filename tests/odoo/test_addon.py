"""The addon's own tests, in Odoo's framework."""

from __future__ import annotations

import asyncio
import re
import subprocess

from operations.odoo.installation import ADDON, ADDONS, OdooHome
from runtime.embedded import free_ports

VERDICT = re.compile(r"(\d+) failed, (\d+) error\(s\) of (\d+) tests")


async def test_the_addons_own_tests_pass(odoo_home: OdooHome) -> None:
    (port,) = free_ports([0])
    command = odoo_home.command("test", "-i", ADDON, "-a", str(ADDONS), "-p", str(port))
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    verdict = VERDICT.search(done.stdout)
    assert verdict, done.stdout[-3000:] + done.stderr[-1000:]
    failed, errors, count = map(int, verdict.groups())
    assert (failed, errors, done.returncode) == (0, 0, 0), done.stdout[-6000:]
    assert count > 0, "0 tests ran"
