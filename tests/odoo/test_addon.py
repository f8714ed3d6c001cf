"""The addon's own tests, in Odoo's framework; and its coming and going."""

from __future__ import annotations

import asyncio
import re
import subprocess

import httpx

from operations.odoo.bridge import REQUEST
from operations.odoo.installation import ADDON, ADDONS, OdooHome
from runtime.embedded import free_ports
from tests.odoo.running import Odoos

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


async def test_upgraded_it_keeps_what_was_set_and_removed_it_leaves_no_secret(odoos: Odoos) -> None:
    async with odoos.running("bridge") as odoo:
        await odoo.parameters(callback_secret="made-up-secret-0123456789")
        partner = await odoo.admin.create("res.partner", name="Someone")
        asked = await odoo.admin.create(REQUEST, prompt="a fox", res_model="res.partner", res_id=partner)
        content = {"name": "a.txt", "raw": "x", "res_model": REQUEST, "res_id": asked}
        attachment = await odoo.admin.create("ir.attachment", **content)
        (offer,) = await odoo.admin.search(
            "ir.actions.act_window", ["res_model", "=", "ai.image.generate"], ["binding_model_id", "!=", False]
        )
        await odoo.admin.call("ir.actions.act_window", "unlink", [offer["id"]])
        await odoo.stop()
        await odoo.home.upgrade(odoo.database, ADDON)
        await odoo.start()
        assert (await odoo.admin.read(REQUEST, asked, "prompt", "state")).items() >= {"state": "draft"}.items()
        assert not await odoo.admin.search(
            "ir.actions.act_window",
            ["binding_model_id.model", "=", "res.partner"],
            ["res_model", "=", "ai.image.generate"],
        )
        (module,) = await odoo.admin.search("ir.module.module", ["name", "=", ADDON])
        await odoo.admin.call("ir.module.module", "button_immediate_uninstall", [module["id"]])
        await odoo.stop()
        await odoo.start()
        assert await odoo.sql("SELECT count(*) FROM ir_config_parameter WHERE key LIKE 'ai_image%'") == "0"
        assert await odoo.sql("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'ai_image%'") == "0"
        assert await odoo.sql("SELECT count(*) FROM res_users WHERE login LIKE '%ai_image%'") == "0"
        assert not await odoo.admin.search("ir.attachment", ["id", "=", attachment])
        assert (await odoo.admin.read("res.partner", partner, "name"))["name"] == "Someone"
        assert await odoo.admin.call("res.partner", "get_views", [[False, "form"], [False, "list"]])
        async with httpx.AsyncClient(base_url=odoo.url, trust_env=False, timeout=60) as http:
            assert (await http.get("/web/login")).status_code == 200
            assert (await http.post("/ai_image_bridge/callback", json={})).status_code == 404
