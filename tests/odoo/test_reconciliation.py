"""What was asked for and what was delivered, by both sides: each disagreement is repaired by two at once, and gone."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import sys
from pathlib import Path

import httpx

from contracts.identity import workflow_id
from contracts.reconciliation import Kind, Repair
from operations.odoo.rpc import OdooCallError
from tests.odoo.running import until
from tests.odoo.sides import FORGET, Sides
from tests.odoo.site import BY_NAME

CHECKOUT = Path(__file__).resolve().parents[2]
LONG_AGO = "UPDATE ai_image_request SET write_date = '2020-01-01' WHERE id = {}"


async def test_what_was_asked_and_never_started_is_sent_again_and_not_paid_twice(sides: Sides) -> None:
    row = await sides.completed()
    await sides.delete(row)
    assert await sides.found() == []
    await sides.odoo.sql(FORGET.format(row["id"]))
    (finding,) = await sides.found()
    assert (finding.kind, finding.repair, finding.record) == (Kind.NEVER_STARTED, Repair.RESEND, row["id"])
    (result,) = await sides.repaired()
    assert (result.finding, result.repaired) == (finding, True)
    await sides.site.send_now()
    await sides.site.finished(row["id"])
    await sides.ended(workflow_id("event", row["request_key"]))
    assert len(await sides.site.pictures(row["id"])) == 1
    assert await sides.site.paid(row["request_key"]) == 1
    assert await sides.found() == []


async def test_an_outcome_that_odoo_has_lost_is_posted_again(sides: Sides) -> None:
    row = await sides.completed()
    (before,) = await sides.site.pictures(row["id"])
    await sides.odoo.sql(FORGET.format(row["id"]))
    (finding,) = await sides.found()
    assert (finding.kind, finding.repair) == (Kind.NEVER_DELIVERED, Repair.REDELIVER)
    (result,) = await sides.repaired()
    assert result.repaired, result.said
    (after,) = await sides.site.pictures(row["id"])
    assert after["sha256"] == before["sha256"]
    assert (await sides.site.record(row["id"]))["result_digest"] == row["result_digest"]
    assert await sides.found() == []


async def test_an_outcome_that_an_older_backup_of_odoo_waits_for_is_posted_again(sides: Sides) -> None:
    row = await sides.completed()
    await sides.odoo.sql(FORGET.format(row["id"]))
    await sides.odoo.sql(LONG_AGO.format(row["id"]))
    (finding,) = await sides.found()
    assert (finding.kind, finding.record) == (Kind.NEVER_DELIVERED, row["id"])
    await sides.repaired()
    assert (await sides.site.record(row["id"]))["state"] == "completed"
    assert await sides.found() == []


async def test_a_parked_delivery_that_odoo_refused_is_redriven_by_order_only(sides: Sides) -> None:
    await sides.odoo.parameters(callback_secret="another-secret-0123456789")
    record = await sides.site.ask()
    with contextlib.suppress(OdooCallError):
        await sides.site.send_now()
    row = await sides.site.wait_for(record, state="sent")
    parked = f'WorkflowId = "{workflow_id("event", row["request_key"])}" AND Stage = "parked"'
    await until(lambda: sides.counted(parked), "the delivery is not parked")
    await sides.site.bridge.use(BY_NAME["event"])
    (by_clock,) = await sides.repaired(by=None)
    assert (by_clock.finding.kind, by_clock.finding.repair) == (Kind.NEVER_DELIVERED, Repair.REDRIVE)
    assert not by_clock.repaired
    (result,) = await sides.repaired()
    assert result.repaired, result.said
    await sides.site.finished(record)
    await sides.ended(workflow_id("event", row["request_key"]))
    assert len(await sides.site.pictures(record)) == 1
    assert await sides.found() == []


async def test_a_second_post_of_the_callback_leaves_nothing_to_find(sides: Sides) -> None:
    row = await sides.completed()
    (picture,) = await sides.site.pictures(row["id"])
    body = {
        "requestId": row["request_key"],
        "correlationId": row["request_key"],
        "status": "completed",
        "imageData": base64.b64encode(picture["content"]).decode(),
    }
    secret = sides.site.files.read_secret("callback")
    async with httpx.AsyncClient(base_url=sides.odoo.url, trust_env=False) as http:
        answer = await http.post("/api/ai/events", json=body, headers={"X-Api-Key": secret})
    assert answer.status_code == 200
    assert await sides.found() == []


async def test_the_command_tells_by_its_exit_code(sides: Sides) -> None:
    row = await sides.completed()
    (picture,) = await sides.site.pictures(row["id"])
    await sides.odoo.admin.call("ir.attachment", "unlink", [picture["attachment_id"][0]])
    code, said = await command(sides, "--odoo", "demo", "--since", "1h")
    assert code == 3
    assert Kind.NOT_ATTACHED in said
    assert row["request_key"] in said
    code, said = await command(sides, "--odoo", "demo", "--repair", "--json")
    assert code == 0
    assert json.loads(said)["counts"]["left"] == 0
    ended = json.loads(said)

    async def is_the_last() -> bool:
        code, said = await command(sides, "--last", "--json")
        return code == 0 and json.loads(said) == ended

    await until(is_the_last, "--last does not show the latest run")
    assert (await command(sides, "--last", "--repair"))[0] == 2


async def command(sides: Sides, *options: str) -> tuple[int, str]:
    """Run the command; its exit code and standard output."""
    start = (sys.executable, "-P", "-m", "operations", "--config", str(sides.site.files.config), "reconcile")
    process = await asyncio.create_subprocess_exec(
        *start,
        *options,
        env={**os.environ, **sides.variables, "TEMPORAL_ADDRESS": sides.site.client.service_client.config.target_host},
        cwd=CHECKOUT,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()
